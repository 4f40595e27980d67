"""Jobs: queued in the transaction of what calls for them, claimed under leases, retried, remembered for a while.

Invariants: a job has at most one claim that counts; a worker that dies loses its claims when their leases end; the
times are the database's clock, so hosts may disagree about theirs. See `docs/design/job.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from entrepot.domain.job import (
    OVER,
    Claim,
    Cron,
    Job,
    JobNotFound,
    JobNotRetryable,
    JobState,
    retry_seconds,
    short_error,
)
from entrepot.domain.limit import (
    DEAD_JOB_HISTORY_SECONDS,
    JOB_ATTEMPTS_MAX,
    JOB_HISTORY_MAX,
    JOB_HISTORY_SECONDS,
    JOB_LEASE_SECONDS,
)
from entrepot.service.context import Context
from entrepot.store.metadata import job as rows
from entrepot.store.metadata import maintenance
from entrepot.store.metadata.base import Database, Query
from entrepot.store.metadata.clock import database_now

PURGE_BATCH = 500
CRON_ATTEMPTS_MAX = 3
"""The next period brings the same work again."""
VANISHED = "its worker vanished in the middle of the last attempt"
T = TypeVar("T")
_MICROS = 1_000_000
_HISTORY_SECONDS = {JobState.DONE: JOB_HISTORY_SECONDS, JobState.DEAD: DEAD_JOB_HISTORY_SECONDS}


class JobService:
    """The queue as one process sees it. `now` reads the database's clock; tests move it on."""

    def __init__(
        self,
        database: Database,
        context: Context,
        now: Callable[[Connection], int] = database_now,
        lease_seconds: float = JOB_LEASE_SECONDS,
    ) -> None:
        self._database, self._context, self._now = database, context, now
        self.lease_seconds = lease_seconds
        self._news = asyncio.Event()

    # ── making jobs ──────────────────────────────────────────────────────────────────────────

    def enqueue(
        self,
        connection: Connection,
        kind: str,
        arguments: Mapping[str, object] | None = None,
        *,
        unique_key: str | None = None,
        delay_seconds: float = 0,
        attempts_max: int = JOB_ATTEMPTS_MAX,
    ) -> int | None:
        """Make a job that exists exactly if the transaction of `connection` commits; call `announce` after it.

        `arguments` is a JSON object such as `{"repository": 7}`. Returns the id, or None where a job of the same
        unique key is there already, whatever its state.
        """
        now = self._now(connection)
        due_at = now + int(delay_seconds * _MICROS)
        return rows.insert_job(connection, rows.NewJob(kind, arguments or {}, unique_key, due_at, attempts_max), now)

    async def submit(self, kind: str, arguments: Mapping[str, object] | None = None) -> int:
        """Make a job in a transaction of its own; its id."""
        job_id = await self._database.write(lambda connection: self.enqueue(connection, kind, arguments))
        self.announce()
        if job_id is None:
            raise AssertionError("a job without a unique key was not made")
        return job_id

    async def enqueue_periods(self, crons: Sequence[Cron]) -> float:
        """Make the jobs of this period that nobody made yet; the seconds until another period begins.

        Where a job of the kind still waits or runs, there is none for this period: work never piles up.
        """
        now, missing = await self._database.read(lambda connection: self._missing(connection, crons))
        for cron in missing:
            await self._note(partial(self._enqueue_period, cron=cron))
        if missing:
            self.announce()
        return min((cron.seconds_left(now) for cron in crons), default=float(JOB_HISTORY_SECONDS))

    def announce(self) -> None:
        """Tell the workers of this process that there may be work; those of others look now and then."""
        self._news.set()

    async def wait_for_news(self, seconds: float) -> bool:
        """Wait until something is announced, or for some seconds; whether something was."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    # ── doing jobs ───────────────────────────────────────────────────────────────────────────

    async def seconds_until_due(self, kinds: Collection[str]) -> float | None:
        """How long until a job of some kinds may be taken, at most 0 if one may now; None: there is none to take."""
        return await self._database.lookup(lambda connection: self._seconds_until_due(connection, kinds))

    async def claim(self, owner: str, kinds: Collection[str], limit: int) -> list[Claim]:
        """Take jobs that are due or whose worker is gone, for the length of a lease.

        `owner` is a name that no other process has or ever had. A job whose last attempt was cut off is buried.
        """
        return await self._note(partial(self._claim, owner=owner, kinds=kinds, limit=limit))

    async def renew(self, claims: Iterable[Claim]) -> list[Claim]:
        """Hold on to claims for another lease; those that are lost."""
        claims = list(claims)
        return await self._note(lambda connection: self._renew(connection, claims))

    def holds(self, connection: Connection, claim: Claim) -> bool:
        """Whether a claim still counts; if it does, it counts until the transaction of `connection` ends.

        A job that changes the database asks this in the transaction of the change, so that a zombie changes nothing.
        """
        return rows.lock_held(connection, claim)

    def finish_in(self, connection: Connection, claim: Claim, result: Mapping[str, object] | None = None) -> bool:
        """End a job in the transaction of its effect: both happen once, or neither. False: it is lost.

        The caller must then undo its work by raising.
        """
        return rows.finish(connection, claim, result, self._now(connection))

    async def finish(self, claim: Claim, result: Mapping[str, object] | None = None) -> bool:
        """End a job well, with a JSON object to remember. False: it is lost, and nothing changed."""
        return await self._note(lambda connection: self.finish_in(connection, claim, result))

    async def fail(self, claim: Claim, error: str) -> JobState | None:
        """Note a failed attempt: pending again after a wait, or dead after the last one. None: it is lost.

        `error` must hold no secrets; its beginning is kept.
        """
        spread = int.from_bytes(self._context.random_bytes(4)) / 2**32
        is_last = claim.attempt >= claim.attempts_max
        wait = None if is_last else int(retry_seconds(claim.attempt, spread) * _MICROS)

        def change(connection: Connection) -> bool:
            now = self._now(connection)
            return rows.fail(connection, claim, short_error(error), None if wait is None else now + wait, now)

        if not await self._note(change):
            return None
        return JobState.DEAD if is_last else JobState.PENDING

    async def give_back(self, claim: Claim) -> bool:
        """Leave a job to others, at once and without counting the attempt. False: it is lost."""
        return await self._note(lambda connection: rows.give_back(connection, claim, self._now(connection)))

    # ── looking at jobs ──────────────────────────────────────────────────────────────────────

    async def get(self, job_id: int) -> Job:
        """A job by its id.

        Raises:
            JobNotFound: none, or no more.
        """
        found = await self._database.lookup(lambda connection: rows.find_job(connection, job_id))
        if found is None:
            raise JobNotFound(job_id)
        return found

    async def list_jobs(self, kind: str | None = None, state: str | None = None, limit: int = 100) -> list[Job]:
        """The newest jobs first."""
        return await self._database.read(lambda connection: rows.list_jobs(connection, kind, state, limit))

    async def retry(self, job_id: int) -> Job:
        """Make a dead or waiting job due now, with all its attempts before it.

        Raises:
            JobNotFound: none, or no more.
            JobNotRetryable: it is running or done.
        """
        if not await self._database.write(lambda connection: rows.retry(connection, job_id, self._now(connection))):
            raise JobNotRetryable(job_id, (await self.get(job_id)).state)
        self.announce()
        return await self.get(job_id)

    async def purge(self) -> int:
        """Forget jobs that have been over for long, and the oldest of a kind that has very many; how many went."""
        total = 0
        for kind in await self._database.read(rows.list_kinds):
            for state in OVER:
                gone = PURGE_BATCH
                while gone == PURGE_BATCH:
                    gone = await self._note(partial(self._purge_batch, kind=kind, state=state))
                    total += gone
        return total

    # ── in transactions ──────────────────────────────────────────────────────────────────────

    async def _note(self, change: Query[T]) -> T:
        """A change that a loss of power may undo: the job is then done again, as after the death of its worker."""
        return await self._database.write(change, is_durable=False)

    def _seconds_until_due(self, connection: Connection, kinds: Collection[str]) -> float | None:
        due_at = rows.next_due(connection, kinds)
        if due_at is None or maintenance.is_on(connection):
            return None
        return (due_at - self._now(connection)) / _MICROS

    def _missing(self, connection: Connection, crons: Sequence[Cron]) -> tuple[int, list[Cron]]:
        now = self._now(connection)
        return now, [cron for cron in crons if not rows.has_key(connection, cron.key(now))]

    def _enqueue_period(self, connection: Connection, cron: Cron) -> None:
        if not rows.has_open(connection, cron.kind):
            key = cron.key(self._now(connection))
            self.enqueue(connection, cron.kind, unique_key=key, attempts_max=CRON_ATTEMPTS_MAX)

    def _claim(self, connection: Connection, owner: str, kinds: Collection[str], limit: int) -> list[Claim]:
        if maintenance.is_on(connection):
            return []  # what runs ends; nothing begins
        now = self._now(connection)
        until = now + int(self.lease_seconds * _MICROS)
        claims = []
        for job in rows.lock_due(connection, kinds, now, limit):
            if job.attempts >= job.attempts_max:
                rows.bury(connection, job.id, VANISHED, now)
            else:
                claims.append(rows.claim(connection, job, owner, now, until))
        return claims

    def _renew(self, connection: Connection, claims: Sequence[Claim]) -> list[Claim]:
        until = self._now(connection) + int(self.lease_seconds * _MICROS)
        return [claim for claim in claims if not rows.renew(connection, claim, until)]

    def _purge_batch(self, connection: Connection, kind: str, state: JobState) -> int:
        before = self._now(connection) - _HISTORY_SECONDS[state] * _MICROS
        return rows.delete_over(connection, kind, state, before, JOB_HISTORY_MAX, PURGE_BATCH)
