"""A program that works on jobs of kind `test` and nothing else; its jobs leave a row each, together with their end.

Run as `python -m tests.support.job_worker DATABASE`, where DATABASE is the path of a SQLite file or the URL of a
PostgreSQL database, migrated and with the table of `make_effects`. Prints `begun ID ATTEMPT` in the middle of a job,
and goes on with it when a line comes on standard input. SIGTERM gives back what it has.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import structlog
from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, Table, select

from entrepot.app.job_runner import JobRunner, Result
from entrepot.domain.job import Claim
from entrepot.service.context import Context
from entrepot.service.job import JobService
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.postgres import PostgresDatabase
from entrepot.store.metadata.sqlite import SqliteDatabase

LEASE_SECONDS = 2.0
"""Long enough for a busy machine: a worker that stands still for three quarters of it loses its job."""

effect = Table("effect", MetaData(), Column("job_id", BigInteger))
"""What jobs did. Nothing forbids that a job is here twice, so that it would be seen."""


def make_effects(engine: Engine) -> None:
    """Make the table, empty."""
    effect.metadata.create_all(engine)


def list_effects(engine: Engine) -> list[int]:
    """The jobs that had their effect, as often as they had it."""
    with engine.connect() as connection:
        return list(connection.execute(select(effect.c.job_id).order_by(effect.c.job_id)).scalars())


def open_database(address: str) -> Database:
    """The database as a worker opens it."""
    return PostgresDatabase(address, connections=4) if "://" in address else SqliteDatabase(Path(address))


class ClaimLost(Exception):
    """Another has the job: what this one did must not happen."""


def take_effect(jobs: JobService, connection: Connection, claim: Claim) -> None:
    """The effect of a job and its end, in one transaction.

    Raises:
        ClaimLost: another has it.
    """
    connection.execute(effect.insert().values(job_id=claim.job_id))
    if not jobs.finish_in(connection, claim, {"by": claim.owner}):
        raise ClaimLost


async def work(address: str) -> None:
    """Until SIGTERM."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    database = open_database(address)
    jobs = JobService(database, Context(), lease_seconds=LEASE_SECONDS)

    async def handle(claim: Claim) -> Result:
        sys.stdout.write(f"begun {claim.job_id} {claim.attempt}\n")
        sys.stdout.flush()
        await lines.readline()
        await database.write(lambda connection: take_effect(jobs, connection, claim))
        return None

    runner = JobRunner(jobs, {"test": handle}, (), 1, Context().new_uuid())
    runner.start(makes_periods=False)
    await stop.wait()
    await runner.drain(0)
    await database.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
