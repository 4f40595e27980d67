"""Job rows: made, claimed under a lease, renewed, ended, and forgotten.

Every change of a claimed job says `WHERE owner = :mine AND fence = :mine`, so that whoever lost it changes nothing.
`now` is the database's clock in microseconds; `due_at` is the one column that says when a job may be taken.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from entrepot.domain.job import Claim, Job, JobState
from entrepot.store.metadata.base import from_micros, from_optional_micros, inserts
from entrepot.store.metadata.schema import job

_OPEN = (JobState.PENDING, JobState.RUNNING)

_INSERT = inserts(
    job, lambda statement: statement.on_conflict_do_nothing(index_elements=[job.c.unique_key]).returning(job.c.id)
)
_MINE = and_(job.c.id == bindparam("job_id"), job.c.owner == bindparam("mine"), job.c.fence == bindparam("fenced"))
_HELD = and_(_MINE, job.c.state == JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is asked for."""

    kind: str
    arguments: Mapping[str, object]
    unique_key: str | None
    due_at: int
    attempts_max: int


def insert_job(connection: Connection, new: NewJob, now: int) -> int | None:
    """Make a job; its id, or None where one of the same unique key is there."""
    values = {
        "kind": new.kind,
        "arguments": _to_json(new.arguments),
        "unique_key": new.unique_key,
        "state": JobState.PENDING.value,
        "due_at": new.due_at,
        "attempts": 0,
        "attempts_max": new.attempts_max,
        "fence": 0,
        "created_at": now,
    }
    return connection.execute(_INSERT[connection.dialect.name], values).scalar_one_or_none()


def next_due(connection: Connection, kinds: Collection[str]) -> int | None:
    """When the next job of some kinds may be taken, by one search in an index; None: there is none."""
    statement = select(job.c.due_at).where(job.c.due_at.is_not(None), job.c.kind.in_(kinds))
    return connection.execute(statement.order_by(job.c.due_at).limit(1)).scalar_one_or_none()


def lock_due(connection: Connection, kinds: Collection[str], now: int, limit: int) -> Sequence[Job]:
    """Jobs that may be taken, longest due first, locked; those that another transaction is taking are left out."""
    statement = (
        select(job)
        .where(job.c.due_at <= now, job.c.kind.in_(kinds))
        .order_by(job.c.due_at, job.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_to_job(row) for row in connection.execute(statement)]


_CLAIM = (
    update(job)
    .where(job.c.id == bindparam("job_id"))
    .values(
        state=JobState.RUNNING.value,
        owner=bindparam("mine"),
        fence=job.c.fence + 1,
        attempts=job.c.attempts + 1,
        started_at=bindparam("now"),
        due_at=bindparam("until"),
    )
)


def claim(connection: Connection, locked: Job, owner: str, now: int, until: int) -> Claim:
    """Take a locked job until a time."""
    connection.execute(_CLAIM, {"job_id": locked.id, "mine": owner, "now": now, "until": until})
    return Claim(
        locked.id, locked.kind, locked.arguments, owner, locked.fence + 1, locked.attempts + 1, locked.attempts_max
    )


def bury(connection: Connection, job_id: int, error: str, now: int) -> None:
    """Make a locked job a dead letter."""
    ended = {"state": JobState.DEAD.value, "due_at": None, "finished_at": now, "error": error}
    connection.execute(update(job).where(job.c.id == job_id).values(ended))


_RENEW = update(job).where(_HELD).values(due_at=bindparam("until"))


def renew(connection: Connection, held: Claim, until: int) -> bool:
    """Hold on to a job until a time; False: it is lost."""
    return connection.execute(_RENEW, {**_mine(held), "until": until}).rowcount > 0


def lock_held(connection: Connection, held: Claim) -> bool:
    """Whether a claim still holds; then nobody takes the job before this transaction ends."""
    statement = select(job.c.id).where(_HELD).with_for_update()
    return connection.execute(statement, _mine(held)).one_or_none() is not None


_FINISH = (
    update(job)
    .where(_HELD)
    .values(
        state=JobState.DONE.value,
        due_at=None,
        finished_at=bindparam("now"),
        error=None,
        result=bindparam("answer"),
    )
)
_IS_DONE = select(job.c.id).where(_MINE, job.c.state == JobState.DONE)


def finish(connection: Connection, held: Claim, result: Mapping[str, object] | None, now: int) -> bool:
    """End a job well; again changes nothing. False: it is lost."""
    answer = None if result is None else _to_json(result)
    if connection.execute(_FINISH, {**_mine(held), "now": now, "answer": answer}).rowcount:
        return True
    return connection.execute(_IS_DONE, _mine(held)).one_or_none() is not None


def fail(connection: Connection, held: Claim, error: str, due_at: int | None, now: int) -> bool:
    """Note a failure: the job comes again at `due_at`, or is dead with None. False: it is lost."""
    ended = {
        "state": JobState.DEAD.value if due_at is None else JobState.PENDING.value,
        "due_at": due_at,
        "finished_at": now if due_at is None else None,
        "error": error,
    }
    return connection.execute(update(job).where(_HELD).values(ended), _mine(held)).rowcount > 0


def give_back(connection: Connection, held: Claim, now: int) -> bool:
    """Let another worker have the job at once, as if this attempt had not been. False: it is lost."""
    values = {"state": JobState.PENDING.value, "due_at": now, "attempts": job.c.attempts - 1}
    return connection.execute(update(job).where(_HELD).values(values), _mine(held)).rowcount > 0


def retry(connection: Connection, job_id: int, now: int) -> bool:
    """Make a dead or waiting job due now, with all its attempts. False: it is running, done, or not there."""
    values = {"state": JobState.PENDING.value, "due_at": now, "attempts": 0, "finished_at": None}
    is_waiting = job.c.state.in_((JobState.PENDING, JobState.DEAD))
    return connection.execute(update(job).where(job.c.id == job_id, is_waiting).values(values)).rowcount > 0


def find_job(connection: Connection, job_id: int) -> Job | None:
    """A job by its id."""
    row = connection.execute(select(job).where(job.c.id == job_id)).one_or_none()
    return None if row is None else _to_job(row)


def list_jobs(connection: Connection, kind: str | None, state: str | None, limit: int) -> list[Job]:
    """The newest jobs first."""
    statement = select(job).order_by(job.c.id.desc()).limit(limit)
    if kind is not None:
        statement = statement.where(job.c.kind == kind)
    if state is not None:
        statement = statement.where(job.c.state == state)
    return [_to_job(row) for row in connection.execute(statement)]


def has_key(connection: Connection, unique_key: str) -> bool:
    """Whether a job of this unique key was made."""
    statement = select(job.c.id).where(job.c.unique_key == unique_key)
    return connection.execute(statement).one_or_none() is not None


def has_open(connection: Connection, kind: str) -> bool:
    """Whether a job of this kind waits or runs."""
    is_open = exists().where(job.c.kind == kind, job.c.state.in_(_OPEN))
    return bool(connection.execute(select(is_open)).scalar_one())


def list_kinds(connection: Connection) -> list[str]:
    """The kinds of all jobs."""
    return list(connection.execute(select(job.c.kind).distinct()).scalars())


def delete_over(connection: Connection, kind: str, state: JobState, before: int, keep: int, limit: int) -> int:
    """Delete jobs of a kind that ended before a time, or that are not among the `keep` newest; how many went.

    At most `limit` go, oldest first. The newest with a unique key stays: it says that its period had its job.
    """
    is_its = and_(job.c.kind == kind, job.c.state == state)
    first_kept = select(job.c.id).where(is_its).order_by(job.c.id.desc()).offset(keep).limit(1).scalar_subquery()
    last_keyed = select(func.max(job.c.id)).where(job.c.kind == kind, job.c.unique_key.is_not(None)).scalar_subquery()
    is_old = or_(job.c.finished_at < before, job.c.id <= first_kept)
    is_free = job.c.id != func.coalesce(last_keyed, 0)
    old = select(job.c.id).where(is_its, is_old, is_free).order_by(job.c.id).limit(limit)
    return connection.execute(delete(job).where(job.c.id.in_(old.scalar_subquery()))).rowcount


def _mine(held: Claim) -> dict[str, Any]:
    return {"job_id": held.job_id, "mine": held.owner, "fenced": held.fence}


def _to_json(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _to_job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        arguments=json.loads(row.arguments),
        unique_key=row.unique_key,
        state=row.state,
        due_at=from_optional_micros(row.due_at),
        attempts=row.attempts,
        attempts_max=row.attempts_max,
        owner=row.owner,
        fence=row.fence,
        created_at=from_micros(row.created_at),
        started_at=from_optional_micros(row.started_at),
        finished_at=from_optional_micros(row.finished_at),
        error=row.error,
        result=None if row.result is None else json.loads(row.result),
    )
