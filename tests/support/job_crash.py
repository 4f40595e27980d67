"""A program in which two workers die again and again at random steps until all jobs are done.

Run as `python -m tests.support.job_crash DATABASE SEED`, with a database as `tests.support.job_worker` wants it. Steps
are both sides of every transaction. The clocks of the two differ by more than a lease, so that one takes what the
other is working on, and move on with every round. Every job leaves a row and every first job asks for a second one; in
the end each has left exactly one. Prints how many workers died, and how often one found its job lost.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, select

from entrepot.domain.job import Claim, JobState
from entrepot.domain.limit import JOB_LEASE_SECONDS, JOB_RETRY_SECONDS_MAX
from entrepot.service.context import Context
from entrepot.service.job import JobService
from entrepot.store.metadata.postgres import driver_url
from entrepot.store.metadata.schema import job
from tests.support.crash import DIED, Fuse
from tests.support.crash_rounds import Fused
from tests.support.job import DatabaseClock
from tests.support.job_worker import ClaimLost, list_effects, open_database, take_effect

JOBS = 40
PARTS = 8
AT_ONCE = 3
STEPS_MAX = 40
ATTEMPTS_MAX = 10_000
"""Deaths use attempts up; here none is the last."""
ROUND_SECONDS = 2 * JOB_RETRY_SECONDS_MAX
KINDS = ("first", "second")
ROUNDS_MAX = 500


class Worker:
    """One process of one round."""

    def __init__(self, jobs: JobService, database: Fused, draw: random.Random, lost: Path) -> None:
        self._jobs, self._database, self._draw, self._lost = jobs, database, draw, lost
        self._late: list[Claim] = []

    async def work(self, wait_for_the_other: Callable[[], object]) -> None:
        """Until nothing is due; then what was put off, which the worker whose clock is ahead may have by now."""
        while claims := await self._jobs.claim(str(os.getpid()), KINDS, AT_ONCE):
            for claim in claims:
                deeds = [self._do, self._do, self._put_off, self._fail, self._leave]
                await self._draw.choice(deeds if self._late else [self._put_off])(claim)
        wait_for_the_other()
        for claim in self._late:
            await self._do(claim)

    async def _do(self, claim: Claim) -> None:
        def change(connection: Connection) -> None:
            if claim.kind == "first":
                self._jobs.enqueue(connection, "second", {"after": claim.job_id}, attempts_max=ATTEMPTS_MAX)
            take_effect(self._jobs, connection, claim)

        try:
            await self._database.write(change)
        except ClaimLost:
            with self._lost.open("a") as file:
                file.write("lost\n")

    async def _put_off(self, claim: Claim) -> None:
        self._late.append(claim)

    async def _fail(self, claim: Claim) -> None:
        await self._jobs.fail(claim, "not this time")

    async def _leave(self, claim: Claim) -> None:
        if not await self._jobs.renew([claim]):
            await self._jobs.give_back(claim)


def in_process(step: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Begin a step in a process of its own; its id."""
    child = os.fork()
    if child == 0:
        asyncio.run(step())
        os._exit(0)
    return child


def has_died(child: int) -> bool:
    """Wait for a process; True when its fuse ended it. Any other end raises."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, DIED):
        raise SystemExit(f"a worker failed with {code}")
    return code == DIED


async def prepare(address: str) -> None:
    """Ask for the first jobs, a part of them for each of the first rounds."""
    database = open_database(address)
    jobs = JobService(database, Context())
    for number in range(JOBS):
        delay = number % PARTS * ROUND_SECONDS
        await database.write(partial(jobs.enqueue, kind="first", delay_seconds=delay, attempts_max=ATTEMPTS_MAX))
    await database.close()


def wait_for_end(reading: int, writing: int) -> None:
    """Wait until nobody else has the writing end of a pipe."""
    os.close(writing)
    os.read(reading, 1)


async def work(address: str, seed: str, ahead_seconds: float, lost: Path, wait: Callable[[], object]) -> None:
    """One worker of one round; in the first one nobody dies."""
    draw, clock = random.Random(seed), DatabaseClock()
    clock.forward(ahead_seconds)
    is_first = ahead_seconds < ROUND_SECONDS
    database = Fused(open_database(address), Fuse(None if is_first else draw.randrange(STEPS_MAX)))
    await Worker(JobService(database, Context(), clock), database, draw, lost).work(wait)


async def check_over(address: str) -> None:
    """Ends the process as a death does while any job is open."""
    database = open_database(address)
    listed = await JobService(database, Context()).list_jobs(limit=10 * JOBS)
    await database.close()
    if any(one.state != JobState.DONE for one in listed):
        os._exit(DIED)


def run_round(address: str, seed: str, number: int, lost: Path) -> int:
    """Two workers at once, of which the one whose clock is ahead has the other's late jobs; how many died."""
    now = number * ROUND_SECONDS
    reading, writing = os.pipe()
    waits = partial(wait_for_end, reading, writing)
    behind = in_process(partial(work, address, f"{seed} {number} behind", now, lost, waits))
    later = now + 2.0 * JOB_LEASE_SECONDS
    ahead = in_process(partial(work, address, f"{seed} {number} ahead", later, lost, lambda: None))
    os.close(writing)
    os.close(reading)
    return has_died(ahead) + has_died(behind)


def compare(address: str) -> None:
    """Every job that was asked for is there and had its effect once."""
    engine = create_engine(driver_url(address) if "://" in address else f"sqlite:///{address}")
    with engine.connect() as connection:
        made = list(connection.execute(select(job.c.id).order_by(job.c.id)).scalars())
    assert len(made) == 2 * JOBS, made
    assert list_effects(engine) == made


def main(address: str, seed: str, directory: str) -> None:
    lost = Path(directory) / "lost"
    lost.touch()
    assert not has_died(in_process(partial(prepare, address)))
    deaths = 0
    for number in range(ROUNDS_MAX):
        deaths += run_round(address, seed, number, lost)
        if not has_died(in_process(partial(check_over, address))):
            break
    compare(address)
    sys.stdout.write(f"{deaths} {len(lost.read_text().splitlines())}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
