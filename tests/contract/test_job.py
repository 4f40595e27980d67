"""The job queue on both engines: made with its cause, held by one, taken over, retried, buried, remembered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from entrepot.domain.job import Claim, Cron, JobNotFound, JobNotRetryable, JobState
from entrepot.domain.limit import (
    DEAD_JOB_HISTORY_SECONDS,
    JOB_ATTEMPTS_MAX,
    JOB_ERROR_LENGTH_MAX,
    JOB_HISTORY_MAX,
    JOB_HISTORY_SECONDS,
    JOB_LEASE_SECONDS,
    JOB_RETRY_SECONDS_MAX,
)
from entrepot.service import job as service
from entrepot.service.context import Context
from entrepot.service.job import JobService
from entrepot.store.metadata import job as rows
from entrepot.store.metadata import maintenance
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.clock import database_now
from entrepot.store.metadata.schema import job as table
from tests.support.database import DatabaseAddress
from tests.support.job import DatabaseClock

KINDS = ("scan", "copy")


async def claim_one(jobs: JobService, owner: str = "first") -> Claim:
    (claim,) = await jobs.claim(owner, KINDS, 1)
    return claim


# ── being made ───────────────────────────────────────────────────────────────────────────────


async def test_a_job_is_done_once_with_its_arguments_and_leaves_its_result(jobs: JobService) -> None:
    job_id = await jobs.submit("scan", {"repository": 7, "digest": "sha256:ab"})
    claim = await claim_one(jobs)
    assert (claim.job_id, claim.kind, claim.attempt) == (job_id, "scan", 1)
    assert claim.arguments == {"repository": 7, "digest": "sha256:ab"}
    assert await jobs.claim("second", KINDS, 9) == []
    assert (await jobs.get(job_id)).state == JobState.RUNNING
    assert await jobs.finish(claim, {"findings": 3})
    done = await jobs.get(job_id)
    assert (done.state, done.result, done.owner, done.attempts, done.due_at) == (
        "done",
        {"findings": 3},
        "first",
        1,
        None,
    )
    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.created_at <= done.started_at <= done.finished_at
    assert await jobs.claim("second", KINDS, 9) == []


async def test_a_job_is_rolled_back_with_its_cause(jobs: JobService, database: Database) -> None:
    def broken(connection: Connection) -> None:
        assert jobs.enqueue(connection, "scan") is not None
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(broken)
    assert await jobs.list_jobs() == []
    assert await jobs.claim("first", KINDS, 9) == []


async def test_a_unique_key_makes_one_job_for_ever(
    jobs: JobService, other_jobs: JobService, database: Database
) -> None:
    def enqueue(connection: Connection) -> int | None:
        return jobs.enqueue(connection, "scan", unique_key="event 7")

    assert await database.write(enqueue) is not None
    assert await database.write(enqueue) is None
    await jobs.finish(await claim_one(jobs))
    assert await database.write(enqueue) is None
    assert len(await other_jobs.list_jobs()) == 1


async def test_only_known_kinds_are_taken(jobs: JobService) -> None:
    await jobs.submit("of a newer version")
    assert await jobs.seconds_until_due(KINDS) is None
    assert await jobs.claim("first", KINDS, 9) == []


async def test_a_delayed_job_waits(jobs: JobService, database: Database, database_clock: DatabaseClock) -> None:
    await database.write(lambda connection: jobs.enqueue(connection, "scan", delay_seconds=60))
    assert await jobs.claim("first", KINDS, 9) == []
    left = await jobs.seconds_until_due(KINDS)
    assert left is not None
    assert 50 < left <= 60
    database_clock.forward(61)
    await claim_one(jobs)


async def test_the_longest_due_comes_first(jobs: JobService, database: Database, database_clock: DatabaseClock) -> None:
    late = await database.write(lambda connection: jobs.enqueue(connection, "scan", delay_seconds=9))
    soon = await database.write(lambda connection: jobs.enqueue(connection, "copy", delay_seconds=3))
    database_clock.forward(10)
    assert [claim.job_id for claim in await jobs.claim("first", KINDS, 9)] == [soon, late]


# ── held by one ──────────────────────────────────────────────────────────────────────────────


async def test_two_workers_never_take_the_same_job(jobs: JobService, other_jobs: JobService) -> None:
    made = {await jobs.submit("scan") for _ in range(40)}
    taken: list[int] = []

    async def take_all(queue: JobService, owner: str) -> None:
        while claims := await queue.claim(owner, KINDS, 3):
            taken.extend(claim.job_id for claim in claims)

    await asyncio.gather(*(take_all(queue, f"{n}") for n in range(4) for queue in (jobs, other_jobs)))
    assert len(taken) == len(made)
    assert set(taken) == made


async def test_a_job_that_another_is_taking_is_passed_over(
    jobs: JobService, other_jobs: JobService, database_address: DatabaseAddress
) -> None:
    """Two open transactions: PostgreSQL skips what is locked; SQLite has no second writer, which waits."""
    first, second = await jobs.submit("scan"), await jobs.submit("scan")
    engine = database_address.engine()
    with engine.connect() as connection:
        assert [job.id for job in rows.lock_due(connection, KINDS, database_now(connection), 1)] == [first]
        if database_address.dialect == "postgresql":
            assert [claim.job_id for claim in await other_jobs.claim("second", KINDS, 9)] == [second]
        connection.rollback()
    engine.dispose()
    assert first in [claim.job_id for claim in await other_jobs.claim("second", KINDS, 9)]


async def test_a_lease_that_ended_is_taken_over(
    jobs: JobService, other_jobs: JobService, database_clock: DatabaseClock
) -> None:
    await jobs.submit("scan")
    lost = await claim_one(jobs)
    database_clock.forward(JOB_LEASE_SECONDS - 5)
    assert await other_jobs.claim("second", KINDS, 9) == []
    database_clock.forward(6)
    claim = await claim_one(other_jobs, "second")
    assert (claim.job_id, claim.attempt, claim.fence) == (lost.job_id, 2, lost.fence + 1)


async def test_a_lease_that_is_renewed_is_kept(
    jobs: JobService, other_jobs: JobService, database_clock: DatabaseClock
) -> None:
    await jobs.submit("scan")
    claim = await claim_one(jobs)
    for _ in range(3):
        database_clock.forward(JOB_LEASE_SECONDS - 5)
        assert await jobs.renew([claim]) == []
        assert await other_jobs.claim("second", KINDS, 9) == []
    assert await jobs.finish(claim)


async def test_hosts_may_disagree_about_the_time(database: Database, second_database: Database) -> None:
    behind = JobService(database, Context(now=lambda: datetime(2000, 1, 1, tzinfo=UTC)))
    ahead = JobService(second_database, Context(now=lambda: datetime(2100, 1, 1, tzinfo=UTC)))
    await behind.submit("scan")
    await ahead.submit("scan")
    claim = await claim_one(behind)
    await claim_one(ahead, "second")
    assert await ahead.claim("second", KINDS, 9) == []
    assert await behind.finish(claim)
    await behind.enqueue_periods([Cron("copy", 3600)])
    await behind.finish(await claim_one(behind))
    await ahead.enqueue_periods([Cron("copy", 3600)])
    assert len(await ahead.list_jobs("copy")) == 1


async def test_a_zombie_changes_nothing(
    jobs: JobService, other_jobs: JobService, database: Database, database_clock: DatabaseClock
) -> None:
    job_id = await jobs.submit("scan")
    zombie = await claim_one(jobs)
    database_clock.forward(JOB_LEASE_SECONDS + 1)
    claim = await claim_one(other_jobs, "second")
    before = await jobs.get(job_id)
    assert await jobs.renew([zombie]) == [zombie]
    assert not await jobs.finish(zombie, {"from": "zombie"})
    assert await jobs.fail(zombie, "from the zombie") is None
    assert not await jobs.give_back(zombie)
    assert not await database.write(lambda connection: jobs.holds(connection, zombie))
    assert await database.write(lambda connection: jobs.holds(connection, claim))
    assert await jobs.get(job_id) == before
    assert await other_jobs.finish(claim, {"from": "second"})
    assert not await jobs.finish(zombie, {"from": "zombie"})
    assert (await jobs.get(job_id)).result == {"from": "second"}


async def test_the_same_worker_is_its_own_zombie(jobs: JobService, database_clock: DatabaseClock) -> None:
    await jobs.submit("scan")
    zombie = await claim_one(jobs)
    database_clock.forward(JOB_LEASE_SECONDS + 1)
    claim = await claim_one(jobs)
    assert not await jobs.finish(zombie)
    assert await jobs.finish(claim)


async def test_an_unclaimed_lease_that_ended_still_counts(jobs: JobService, database_clock: DatabaseClock) -> None:
    """Nobody else has the job, so what was done for it is not thrown away."""
    await jobs.submit("scan")
    claim = await claim_one(jobs)
    database_clock.forward(JOB_LEASE_SECONDS + 1)
    assert await jobs.finish(claim)


async def test_finishing_twice_is_finishing_once(jobs: JobService) -> None:
    """A commit whose answer was lost is asked for again."""
    job_id = await jobs.submit("scan")
    claim = await claim_one(jobs)
    assert await jobs.finish(claim, {"n": 1})
    assert await jobs.finish(claim, {"n": 2})
    assert (await jobs.get(job_id)).result == {"n": 1}


async def test_an_effect_and_its_end_commit_together(
    jobs: JobService, other_jobs: JobService, database: Database, database_clock: DatabaseClock
) -> None:
    await jobs.submit("scan")
    zombie = await claim_one(jobs)
    database_clock.forward(JOB_LEASE_SECONDS + 1)
    claim = await claim_one(other_jobs, "second")

    def effect(connection: Connection, held: Claim) -> None:
        jobs.enqueue(connection, "effect")
        if not jobs.finish_in(connection, held):
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await database.write(lambda connection: effect(connection, zombie))
    await database.write(lambda connection: effect(connection, claim))
    assert len(await jobs.list_jobs("effect")) == 1


async def test_given_back_it_comes_again_at_once_and_the_attempt_does_not_count(
    jobs: JobService, other_jobs: JobService
) -> None:
    await jobs.submit("scan")
    claim = await claim_one(jobs)
    assert await jobs.give_back(claim)
    again = await claim_one(other_jobs, "second")
    assert (again.job_id, again.attempt, again.fence) == (claim.job_id, 1, 2)
    assert not await jobs.finish(claim)


async def test_in_maintenance_none_is_taken_and_what_runs_ends(jobs: JobService, database: Database) -> None:
    await jobs.submit("scan")
    await jobs.submit("scan")
    claim = await claim_one(jobs)
    await database.write(lambda connection: maintenance.begin(connection, "new disks", 1))
    assert await jobs.seconds_until_due(KINDS) is None
    assert await jobs.claim("first", KINDS, 9) == []
    assert await jobs.renew([claim]) == []
    assert await jobs.finish(claim)
    await database.write(maintenance.end)
    assert await jobs.finish(await claim_one(jobs))


# ── failing ──────────────────────────────────────────────────────────────────────────────────


async def test_a_failed_job_comes_again_later_and_later_and_is_buried_at_last(
    jobs: JobService, database_clock: DatabaseClock
) -> None:
    job_id = await jobs.submit("scan")
    waits: list[float] = []
    for attempt in range(1, JOB_ATTEMPTS_MAX):
        claim = await claim_one(jobs)
        assert claim.attempt == attempt
        assert await jobs.fail(claim, f"failure {attempt}") == JobState.PENDING
        wait = await jobs.seconds_until_due(KINDS)
        assert wait is not None
        waits.append(wait)
        assert await jobs.claim("first", KINDS, 9) == []
        database_clock.forward(wait + 1)
    assert 4 < waits[0] <= 10
    assert waits[-1] > 60 * waits[0]
    assert max(waits) <= JOB_RETRY_SECONDS_MAX
    assert await jobs.fail(await claim_one(jobs), "the last") == JobState.DEAD
    database_clock.forward(10 * JOB_RETRY_SECONDS_MAX)
    assert await jobs.claim("first", KINDS, 9) == []
    dead = await jobs.get(job_id)
    assert (dead.state, dead.error, dead.attempts, dead.due_at) == ("dead", "the last", JOB_ATTEMPTS_MAX, None)
    assert dead.finished_at is not None


async def test_success_after_failure_leaves_no_error(jobs: JobService, database_clock: DatabaseClock) -> None:
    job_id = await jobs.submit("scan")
    await jobs.fail(await claim_one(jobs), "a moment of weakness")
    assert (await jobs.get(job_id)).error == "a moment of weakness"
    database_clock.forward(JOB_RETRY_SECONDS_MAX)
    await jobs.finish(await claim_one(jobs))
    assert (await jobs.get(job_id)).error is None


async def test_a_job_that_kills_its_workers_is_buried(jobs: JobService, database_clock: DatabaseClock) -> None:
    job_id = await jobs.submit("scan")
    for _ in range(JOB_ATTEMPTS_MAX):
        await claim_one(jobs)
        database_clock.forward(JOB_LEASE_SECONDS + 1)
    assert await jobs.claim("first", KINDS, 9) == []
    dead = await jobs.get(job_id)
    assert (dead.state, dead.error) == ("dead", service.VANISHED)


async def test_errors_are_kept_in_one_bounded_line(jobs: JobService) -> None:
    job_id = await jobs.submit("scan")
    await jobs.fail(await claim_one(jobs), "broken\n" * 1_000)
    error = (await jobs.get(job_id)).error
    assert error is not None
    assert len(error) == JOB_ERROR_LENGTH_MAX
    assert error.startswith("broken broken")


async def test_a_dead_job_is_tried_again_by_hand(jobs: JobService, database: Database) -> None:
    job_id = await database.write(lambda connection: jobs.enqueue(connection, "scan", attempts_max=1))
    assert job_id is not None
    first = await claim_one(jobs)
    assert await jobs.fail(first, "once") == JobState.DEAD
    again = await jobs.retry(job_id)
    assert (again.state, again.attempts, again.finished_at, again.error) == ("pending", 0, None, "once")
    claim = await claim_one(jobs)
    assert (claim.attempt, claim.fence) == (1, first.fence + 1)
    with pytest.raises(JobNotRetryable) as refused:
        await jobs.retry(job_id)
    assert (refused.value.job_id, refused.value.state) == (job_id, "running")
    await jobs.finish(claim)
    with pytest.raises(JobNotRetryable):
        await jobs.retry(job_id)
    with pytest.raises(JobNotFound):
        await jobs.retry(job_id + 1)


async def test_a_waiting_job_is_hurried_by_hand(jobs: JobService) -> None:
    job_id = await jobs.submit("scan")
    await jobs.fail(await claim_one(jobs), "once")
    assert await jobs.claim("first", KINDS, 9) == []
    await jobs.retry(job_id)
    await claim_one(jobs)


# ── coming again ─────────────────────────────────────────────────────────────────────────────

HOURLY = Cron("scan", 3600)


async def test_a_period_has_one_job_however_many_make_it(
    jobs: JobService, other_jobs: JobService, database_clock: DatabaseClock
) -> None:
    for period in range(1, 4):
        left = await asyncio.gather(*(queue.enqueue_periods([HOURLY]) for queue in (jobs, other_jobs) * 4))
        assert all(0 < seconds <= 3600 for seconds in left)
        assert len(await jobs.list_jobs()) == period
        await jobs.finish(await claim_one(jobs))
        await jobs.enqueue_periods([HOURLY])
        assert await jobs.claim("first", KINDS, 9) == []
        database_clock.forward(min(left))


async def test_periods_do_not_pile_up_behind_one_that_lasts(jobs: JobService, database_clock: DatabaseClock) -> None:
    await jobs.enqueue_periods([HOURLY])
    claim = await claim_one(jobs)
    for _ in range(3):
        database_clock.forward(3600)
        await jobs.renew([claim])
        await jobs.enqueue_periods([HOURLY])
    assert len(await jobs.list_jobs()) == 1
    await jobs.finish(claim)
    await jobs.enqueue_periods([HOURLY])
    assert len(await jobs.list_jobs()) == 2


async def test_each_kind_has_periods_of_its_own(jobs: JobService, database_clock: DatabaseClock) -> None:
    crons = [HOURLY, Cron("copy", 60)]
    assert await jobs.enqueue_periods(crons) <= 60
    assert sorted(job.kind for job in await jobs.list_jobs()) == ["copy", "scan"]


# ── being remembered ─────────────────────────────────────────────────────────────────────────


async def end_many(jobs: JobService, number: int, error: str | None = None) -> None:
    for _ in range(number):
        await jobs.submit("copy")
    for claim in await jobs.claim("first", KINDS, number):
        if error:
            last = Claim(claim.job_id, "copy", {}, "first", claim.fence, claim.attempts_max, claim.attempts_max)
            await jobs.fail(last, error)
        else:
            await jobs.finish(claim)


async def test_history_ends_by_age(jobs: JobService, database_clock: DatabaseClock) -> None:
    await end_many(jobs, 2)
    await end_many(jobs, 2, "broken")
    waiting = await jobs.submit("copy")
    assert await jobs.purge() == 0
    database_clock.forward(JOB_HISTORY_SECONDS + 1)
    assert await jobs.purge() == 2
    assert [job.state for job in await jobs.list_jobs()] == ["pending", "dead", "dead"]
    database_clock.forward(DEAD_JOB_HISTORY_SECONDS)
    assert await jobs.purge() == 2
    assert [job.id for job in await jobs.list_jobs()] == [waiting]


async def test_history_ends_by_number(jobs: JobService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "JOB_HISTORY_MAX", 5)
    monkeypatch.setattr(service, "PURGE_BATCH", 2)
    assert JOB_HISTORY_MAX > 5
    await end_many(jobs, 12)
    await end_many(jobs, 3, "broken")
    newest = [job.id for job in await jobs.list_jobs(state="done")][:5]
    assert await jobs.purge() == 7
    assert [job.id for job in await jobs.list_jobs(state="done")] == newest
    assert len(await jobs.list_jobs(state="dead")) == 3


async def test_forgetting_does_not_bring_a_period_back(
    jobs: JobService, database_clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "JOB_HISTORY_MAX", 0)
    rare = Cron("scan", 3 * JOB_HISTORY_SECONDS)
    database_clock.forward(await jobs.enqueue_periods([rare]))
    await jobs.claim("first", KINDS, 9)  # the rest of a period: begin with a whole one
    database_clock.forward(JOB_LEASE_SECONDS + 1)
    await jobs.finish(await claim_one(jobs))
    await jobs.enqueue_periods([rare])
    await jobs.finish(await claim_one(jobs))
    database_clock.forward(JOB_HISTORY_SECONDS + 1)
    assert await jobs.purge() == 1
    await jobs.enqueue_periods([rare])
    assert await jobs.claim("first", KINDS, 9) == []


async def test_lists_are_filtered_and_bounded(jobs: JobService) -> None:
    await end_many(jobs, 3)
    await jobs.submit("scan")
    assert [job.kind for job in await jobs.list_jobs(limit=2)] == ["scan", "copy"]
    assert len(await jobs.list_jobs(kind="copy")) == 3
    assert [job.kind for job in await jobs.list_jobs(state="pending")] == ["scan"]
    assert await jobs.list_jobs(kind="scan", state="done") == []


# ── the clock and the cost ───────────────────────────────────────────────────────────────────


async def test_the_databases_clock_tells_utc(database: Database) -> None:
    told = await database.read(database_now)
    assert abs(told / 1_000_000 - datetime.now(UTC).timestamp()) < 5


async def test_looking_for_work_searches_an_index(database_address: DatabaseAddress) -> None:
    """Thousands of jobs that are over cost nothing: both engines plan to search by due time."""
    engine = database_address.engine()
    with engine.begin() as connection:
        values = [
            {
                "kind": "scan",
                "arguments": "{}",
                "state": "done",
                "attempts": 1,
                "attempts_max": 1,
                "fence": 1,
                "created_at": 1,
            }
        ]
        connection.execute(table.insert(), values * 5_000)
        if database_address.dialect == "postgresql":
            connection.exec_driver_sql("ANALYZE job")
        statements: list[tuple[str, Any]] = []
        event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2:4]))
        assert rows.next_due(connection, KINDS) is None
        ((text, values_given),) = statements
        explain = "EXPLAIN QUERY PLAN" if database_address.dialect == "sqlite" else "EXPLAIN"
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {text}", values_given))
        assert "ix_job_due_at" in plan
        assert connection.execute(select(func.count()).select_from(table)).scalar() == 5_000
    engine.dispose()
