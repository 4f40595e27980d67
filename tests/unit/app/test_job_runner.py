"""The job runner: a few jobs at a time, at once when announced, idle without writing, lost and drained with care."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from entrepot.app import job_runner
from entrepot.app.job_runner import Handler, JobRunner, Result
from entrepot.domain.error import Throttled
from entrepot.domain.job import Claim, Cron, Job, JobState
from entrepot.domain.limit import JOB_LEASE_SECONDS, JOB_RETRY_SECONDS_MAX
from entrepot.service.context import Context
from entrepot.service.job import JobService
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.support.job import DatabaseClock
from tests.support.poll import poll_until

SECONDS = 10
HOUR = Cron("test", 3600)


@pytest.fixture
def jobs(sqlite_database: SqliteDatabase, database_clock: DatabaseClock) -> JobService:
    """On SQLite: the engine has no part in it."""
    return JobService(sqlite_database, Context(), database_clock)


@asynccontextmanager
async def running(
    jobs: JobService, handlers: Mapping[str, Handler], *, crons: tuple[Cron, ...] = (), parallel: int = 2
) -> AsyncIterator[JobRunner]:
    """A runner that is drained without grace in the end."""
    runner = JobRunner(jobs, handlers, crons, parallel, "one")
    runner.start(makes_periods=True)
    yield runner
    await runner.drain(0)


async def until(jobs: JobService, job_id: int, is_so: Callable[[Job], bool]) -> Job:
    """The job once it is as wanted."""

    async def probe() -> Job | None:
        job = await jobs.get(job_id)
        return job if is_so(job) else None

    return await poll_until(probe)


async def until_state(jobs: JobService, job_id: int, state: JobState) -> Job:
    return await until(jobs, job_id, lambda job: job.state == state)


class Busy:
    """A handler that works until it is let go, and counts."""

    def __init__(self) -> None:
        self.begun, self.release = asyncio.Semaphore(0), asyncio.Event()
        self.was_cancelled = asyncio.Event()
        self.at_once = self.most = 0

    async def __call__(self, _: Claim) -> Result:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.release()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        finally:
            self.at_once -= 1
        return {"most": self.most}

    async def wait_begun(self) -> None:
        await asyncio.wait_for(self.begun.acquire(), SECONDS)


async def test_a_job_is_done_at_once_when_announced(jobs: JobService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_runner, "IDLE_SECONDS_FIRST", 60.0)
    monkeypatch.setattr(job_runner, "IDLE_SECONDS_MAX", 60.0)

    async def echo(claim: Claim) -> Result:
        return {"echo": claim.arguments["text"]}

    async with running(jobs, {"test": echo}) as runner:
        await asyncio.sleep(0)
        job_id = await jobs.submit("test", {"text": "hello"})
        job = await until_state(jobs, job_id, JobState.DONE)
        assert (job.result, job.owner) == ({"echo": "hello"}, runner.owner)


async def test_no_more_than_so_many_run_at_a_time_and_all_are_done(jobs: JobService) -> None:
    busy = Busy()
    made = [await jobs.submit("test") for _ in range(7)]
    async with running(jobs, {"test": busy}, parallel=3):
        for _ in range(3):
            await busy.wait_begun()
        busy.release.set()
        for job_id in made:
            await until_state(jobs, job_id, JobState.DONE)
    assert busy.most == 3


async def test_none_at_a_time_leaves_them_to_others(jobs: JobService) -> None:
    await jobs.submit("test")
    async with running(jobs, {"test": Busy()}, parallel=0):
        await asyncio.sleep(0.05)
    assert len(await jobs.list_jobs(state="pending")) == 1


async def test_an_idle_runner_writes_nothing(
    jobs: JobService, sqlite_database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "IDLE_SECONDS_FIRST", 0.001)
    monkeypatch.setattr(job_runner, "IDLE_SECONDS_MAX", 0.001)
    await jobs.enqueue_periods([HOUR])
    (claim,) = await jobs.claim("before", ["test"], 1)
    await jobs.finish(claim)
    looks = 0
    enough = asyncio.Event()
    look = jobs.seconds_until_due

    async def counted(kinds: Any) -> float | None:
        nonlocal looks
        looks += 1
        if looks == 20:
            enough.set()
        return await look(kinds)

    async def write(_: Any) -> Any:
        raise AssertionError("there is nothing to write")

    monkeypatch.setattr(jobs, "seconds_until_due", counted)
    monkeypatch.setattr(sqlite_database, "write", write)
    async with running(jobs, {"test": Busy()}, crons=(HOUR,)):
        await asyncio.wait_for(enough.wait(), SECONDS)


async def test_looks_become_rare_while_there_is_nothing(jobs: JobService, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    enough = asyncio.Event()

    async def wait_for_news(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 8:
            enough.set()
        await asyncio.sleep(0)
        return False

    monkeypatch.setattr(jobs, "wait_for_news", wait_for_news)
    async with running(jobs, {"test": Busy()}):
        await asyncio.wait_for(enough.wait(), SECONDS)
    assert waits[:8] == [0.25, 0.5, 1, 2, 4, 5, 5, 5]


async def test_periods_are_made_and_done(jobs: JobService) -> None:
    async def nothing(_: Claim) -> Result:
        return None

    async with running(jobs, {"test": nothing}, crons=(Cron("test", 0.05),)):

        async def three_are_done() -> bool:
            return len(await jobs.list_jobs(state="done")) >= 3

        await poll_until(three_are_done)


async def test_a_failure_is_noted_without_secrets_and_tried_again(
    jobs: JobService, database_clock: DatabaseClock
) -> None:
    async def fails_once(claim: Claim) -> Result:
        if claim.attempt == 1:
            raise RuntimeError("postgresql://user:hunter2@host/d\nis away")
        return None

    job_id = await jobs.submit("test")
    async with running(jobs, {"test": fails_once}):
        job = await until(jobs, job_id, lambda job: job.error is not None)
        assert (job.state, job.error) == ("pending", "RuntimeError: postgresql://user:[hidden]@host/d is away")
        database_clock.forward(JOB_RETRY_SECONDS_MAX)
        assert (await until_state(jobs, job_id, JobState.DONE)).attempts == 2


async def test_a_long_job_is_held_on_to(sqlite_database: SqliteDatabase, database_clock: DatabaseClock) -> None:
    jobs, busy = JobService(sqlite_database, Context(), database_clock, lease_seconds=2), Busy()
    job_id = await jobs.submit("test")
    async with running(jobs, {"test": busy}):
        await busy.wait_begun()
        first = (await jobs.get(job_id)).due_at
        assert first is not None
        await until(jobs, job_id, lambda job: job.due_at is not None and (job.due_at - first).total_seconds() > 0.7)
        assert await jobs.claim("other", ["test"], 1) == []
        busy.release.set()
        assert (await until_state(jobs, job_id, JobState.DONE)).attempts == 1


async def test_a_lost_job_is_cancelled(sqlite_database: SqliteDatabase, database_clock: DatabaseClock) -> None:
    jobs, busy = JobService(sqlite_database, Context(), database_clock, lease_seconds=0.4), Busy()
    other = JobService(sqlite_database, Context(), database_clock)
    job_id = await jobs.submit("test")
    async with running(jobs, {"test": busy}, parallel=1):
        await busy.wait_begun()

        async def take() -> list[Claim]:
            database_clock.forward(5)  # the runner may renew between the two
            return await other.claim("other", ["test"], 1)

        (taken,) = await poll_until(take)
        await asyncio.wait_for(busy.was_cancelled.wait(), SECONDS)
        assert await other.finish(taken, {"by": "other"})
    assert (await jobs.get(job_id)).result == {"by": "other"}


async def test_a_job_that_cannot_be_renewed_for_a_lease_is_cancelled(
    sqlite_database: SqliteDatabase, database_clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, busy = JobService(sqlite_database, Context(), database_clock, lease_seconds=0.2), Busy()

    async def renew(_: Any) -> list[Claim]:
        raise Throttled

    monkeypatch.setattr(jobs, "renew", renew)
    await jobs.submit("test")
    async with running(jobs, {"test": busy}, parallel=1):
        await busy.wait_begun()
        await asyncio.wait_for(busy.was_cancelled.wait(), SECONDS)


async def test_the_end_of_a_job_is_written_when_the_database_has_time_again(
    jobs: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, refusals = jobs.finish, [Throttled(), Throttled()]

    async def finish_at_last(claim: Claim, result: Result = None) -> bool:
        if refusals:
            raise refusals.pop()
        return await finish(claim, result)

    async def nothing(_: Claim) -> Result:
        return None

    monkeypatch.setattr(jobs, "finish", finish_at_last)
    job_id = await jobs.submit("test")
    async with running(jobs, {"test": nothing}):
        assert (await until_state(jobs, job_id, JobState.DONE)).attempts == 1


async def test_claiming_goes_on_after_an_error(jobs: JobService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_runner, "IDLE_SECONDS_FIRST", 0.01)
    claim, refusals = jobs.claim, [Throttled(), Throttled()]

    async def claim_at_last(*given: Any) -> list[Claim]:
        if refusals:
            raise refusals.pop()
        return await claim(*given)

    async def nothing(_: Claim) -> Result:
        return None

    monkeypatch.setattr(jobs, "claim", claim_at_last)
    job_id = await jobs.submit("test")
    async with running(jobs, {"test": nothing}):
        await until_state(jobs, job_id, JobState.DONE)


async def test_draining_lets_jobs_finish_and_takes_no_more(jobs: JobService) -> None:
    busy = Busy()
    job_id = await jobs.submit("test")
    async with running(jobs, {"test": busy}) as runner:
        await busy.wait_begun()
        draining = asyncio.create_task(runner.drain(SECONDS))
        later = await jobs.submit("test")
        busy.release.set()
        await draining
    assert (await jobs.get(job_id)).state == JobState.DONE
    assert (await jobs.get(later)).state == JobState.PENDING
    assert not busy.was_cancelled.is_set()


async def test_draining_gives_back_what_does_not_finish(jobs: JobService) -> None:
    busy = Busy()
    job_id = await jobs.submit("test")
    async with running(jobs, {"test": busy}) as runner:
        await busy.wait_begun()
        await runner.drain(0.05)
        assert busy.was_cancelled.is_set()
        job = await jobs.get(job_id)
        assert (job.state, job.attempts) == ("pending", 0)
        (again,) = await jobs.claim("other", ["test"], 1)
        assert again.attempt == 1


async def test_what_does_not_let_go_is_not_given_back(jobs: JobService, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still work, so its lease decides."""
    monkeypatch.setattr(job_runner, "CANCEL_SECONDS", 0.05)
    begun, release = asyncio.Event(), asyncio.Event()

    async def deaf(_: Claim) -> Result:
        begun.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return None

    job_id = await jobs.submit("test")
    async with running(jobs, {"test": deaf}) as runner:
        await asyncio.wait_for(begun.wait(), SECONDS)
        await runner.drain(0)
        assert (await jobs.get(job_id)).state == JobState.RUNNING
        release.set()
        await until_state(jobs, job_id, JobState.DONE)


async def test_a_lease_is_long_beside_its_renewals() -> None:
    assert JOB_LEASE_SECONDS / job_runner.RENEWALS_PER_LEASE >= 10
