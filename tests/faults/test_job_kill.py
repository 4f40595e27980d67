"""Workers killed in the middle of a job: another finishes it, nothing is lost, nothing has its effect twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, func, select, update

from entrepot.domain.job import Job, JobKind, JobState
from entrepot.domain.limit import JOB_LEASE_SECONDS
from entrepot.service.context import Context
from entrepot.service.job import JobService
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.schema import job
from tests.support.database import DatabaseAddress, PostgresAddress, SqliteAddress
from tests.support.job_worker import LEASE_SECONDS, list_effects, make_effects
from tests.support.poll import wait_until
from tests.support.server import PROGRAM, Server

T = TypeVar("T")
MANY = 150
KIND = JobKind.EVENT_PURGE


class WorkerProcess:
    """`tests.support.job_worker` on a database."""

    def __init__(self, address: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.job_worker", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def next_line(self) -> str:
        """Wait for what it says next."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go_on(self) -> None:
        """Let it finish the job that it has begun."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(20)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Queue:
    """A database with jobs of kind `test`, and workers on it."""

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address
        self.engine = address.engine()
        self.workers: list[WorkerProcess] = []
        make_effects(self.engine)

    def ask(self, act: Callable[[JobService, Database], Awaitable[T]]) -> T:
        """Do something with the queue."""

        async def run() -> T:
            database = self._address.open()
            try:
                return await act(JobService(database, Context()), database)
            finally:
                await database.close()

        return asyncio.run(run())

    def submit(self) -> int:
        return self.ask(lambda jobs, _: jobs.submit("test"))

    def wait_done(self, job_id: int) -> Job:
        def probe() -> Job | None:
            found = self.ask(lambda jobs, _: jobs.get(job_id))
            return found if found.state == JobState.DONE else None

        return wait_until(probe, what="the end of the job")

    def start_worker(self) -> WorkerProcess:
        worker = WorkerProcess(text_of(self._address))
        self.workers.append(worker)
        return worker


def text_of(address: DatabaseAddress) -> str:
    """The address as a program gets it."""
    if isinstance(address, SqliteAddress):
        return str(address.path)
    assert isinstance(address, PostgresAddress)
    return address.url


@pytest.fixture
def queue(database_address: DatabaseAddress) -> Iterator[Queue]:
    """On each engine; its workers are gone in the end."""
    queue = Queue(database_address)
    yield queue
    for worker in queue.workers:
        worker.close()
    queue.engine.dispose()


def test_another_worker_finishes_what_a_killed_one_began(queue: Queue) -> None:
    job_id = queue.submit()
    first = queue.start_worker()
    assert first.next_line() == f"begun {job_id} 1"
    first.send(signal.SIGKILL)
    first.wait()
    second = queue.start_worker()
    assert second.next_line() == f"begun {job_id} 2"
    second.go_on()
    done = queue.wait_done(job_id)
    assert (done.attempts, done.fence) == (2, 2)
    assert list_effects(queue.engine) == [job_id]


def test_a_worker_that_stood_still_and_wakes_up_changes_nothing_and_goes_on_with_others(queue: Queue) -> None:
    job_id = queue.submit()
    zombie = queue.start_worker()
    assert zombie.next_line() == f"begun {job_id} 1"
    zombie.send(signal.SIGSTOP)
    second = queue.start_worker()
    assert second.next_line() == f"begun {job_id} 2"
    second.go_on()
    queue.wait_done(job_id)
    zombie.go_on()
    zombie.send(signal.SIGCONT)
    second.send(signal.SIGTERM)
    assert second.wait() == 0
    later = queue.submit()
    assert zombie.next_line() == f"begun {later} 1"
    zombie.go_on()
    queue.wait_done(later)
    assert list_effects(queue.engine) == [job_id, later]


def test_sigterm_gives_the_job_back_at_once(queue: Queue) -> None:
    job_id = queue.submit()
    first = queue.start_worker()
    assert first.next_line() == f"begun {job_id} 1"
    first.send(signal.SIGTERM)
    assert first.wait() == 0
    second = queue.start_worker()
    assert second.next_line() == f"begun {job_id} 1"  # it did not count as an attempt
    second.go_on()
    queue.wait_done(job_id)


def test_a_long_job_is_held_beyond_its_lease(queue: Queue) -> None:
    """The other worker is free all the time and never gets it."""
    job_id = queue.submit()
    first = queue.start_worker()
    assert first.next_line() == f"begun {job_id} 1"
    queue.start_worker()
    begun = queue.ask(lambda jobs, _: jobs.get(job_id)).due_at
    assert begun is not None

    def is_renewed() -> bool:
        due_at = queue.ask(lambda jobs, _: jobs.get(job_id)).due_at
        return due_at is not None and (due_at - begun).total_seconds() > 2 * LEASE_SECONDS

    wait_until(is_renewed, what="the renewals")
    first.go_on()
    assert queue.wait_done(job_id).attempts == 1


# ── the whole server ─────────────────────────────────────────────────────────────────────────


def address_of(server: Server, request: pytest.FixtureRequest) -> DatabaseAddress:
    """The database of a server."""
    if "ENTREPOT_DATABASE_URL" not in server.environment:
        return SqliteAddress(server.data_dir / "metadata.sqlite")
    address: PostgresAddress = request.getfixturevalue("postgres_address")
    return address


def test_a_server_whose_workers_are_killed_does_all_jobs(server: Server, request: pytest.FixtureRequest) -> None:
    queue = Queue(address_of(server, request))
    made: list[int] = []
    victim = 0
    while victim not in busy_pids(queue.engine, made):  # until one died with a job in its hands
        victim = min(wait_until(partial(busy_with_more, queue, made), what="a job under way"))
        os.kill(victim, signal.SIGKILL)
        wait_until(partial(is_gone, server, victim), what="its end")
    end_leases(queue.engine)
    wait_until(lambda: count_done(queue.engine, made) == len(made), seconds=60, what="the end of all jobs")
    assert max(fences(queue.engine, made)) == 2
    queue.engine.dispose()


async def submit_many(jobs: JobService, database: Database) -> list[int]:
    """At once, so that none is done before all are there."""
    made = await database.write(lambda connection: [jobs.enqueue(connection, KIND) for _ in range(MANY)])
    return [job_id for job_id in made if job_id is not None]


def is_gone(server: Server, pid: int) -> bool:
    """Whether a worker is there no more."""
    return pid not in server.worker_pids()


def busy_with_more(queue: Queue, made: list[int]) -> set[int]:
    """The processes that jobs run in; more jobs are made where all were done before anybody looked."""
    if count_done(queue.engine, made) == len(made):
        made += queue.ask(submit_many)
    return busy_pids(queue.engine, made)


def busy_pids(engine: Engine, ids: list[int]) -> set[int]:
    """The processes that some jobs run in, alive or not."""
    statement = select(job.c.owner).where(job.c.state == JobState.RUNNING, job.c.id.in_(ids))
    with engine.connect() as connection:
        owners = connection.execute(statement).scalars()
        return {int(owner.split(":")[1]) for owner in owners}


def count_done(engine: Engine, ids: list[int]) -> int:
    """How many of some jobs are done."""
    statement = select(func.count()).where(job.c.state == JobState.DONE, job.c.id.in_(ids))
    with engine.connect() as connection:
        return int(connection.execute(statement).scalar_one())


def fences(engine: Engine, ids: list[int]) -> list[int]:
    """How often each job was claimed."""
    with engine.connect() as connection:
        return list(connection.execute(select(job.c.fence).where(job.c.id.in_(ids))).scalars())


def end_leases(engine: Engine) -> None:
    """Let a lease go by: to move the rows back is to move the database's clock on."""
    with engine.begin() as connection:
        connection.execute(update(job).values(due_at=job.c.due_at - JOB_LEASE_SECONDS * 1_000_000))


def test_commands_look_at_and_retry_jobs_beside_a_running_server(
    server: Server, request: pytest.FixtureRequest
) -> None:
    queue = Queue(address_of(server, request))
    made = queue.ask(lambda jobs, _: jobs.submit("of a newer version"))
    with queue.engine.begin() as connection:
        values = {"state": JobState.DEAD, "due_at": None, "error": "broken", "kind": KIND, "attempts": 3}
        connection.execute(update(job).where(job.c.id == made).values(values))
    dead = jobs_command(server, "list", "--state", "dead")
    assert [(one["id"], one["kind"], one["error"]) for one in dead] == [(made, "event-purge", "broken")]
    assert jobs_command(server, "retry", str(made))["state"] == "pending"
    assert queue.wait_done(made).attempts == 1
    assert jobs_command(server, "show", str(made))["result"] == {"removed": 0}
    queue.engine.dispose()


def jobs_command(server: Server, *words: str) -> Any:
    """What `entrepot jobs … --json` prints for the server's settings."""
    env = {"HOME": str(server.home), "PATH": os.environ["PATH"], **server.environment}
    command = [str(PROGRAM), "jobs", *words, "--json", "--data-dir", str(server.data_dir)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
