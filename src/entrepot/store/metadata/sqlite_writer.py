"""The writer of a SQLite file: one thread that commits all waiting changes as one transaction.

Each change runs in a savepoint, so that a failure undoes only its own work, and is answered after the commit.
Where SQLite gives up the transaction as a whole (a full disk), the changes run again one by one.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from entrepot.domain.error import Throttled
from entrepot.store.metadata.base import StrayStopIteration
from entrepot.store.metadata.sqlite_file import lock_file, raw_connection, sqlite_engine, translate

WAIT_SECONDS = 10.0
"""A change that has not been committed after this is answered as Throttled."""

BATCH_MAX = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    change: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class SqliteWriter:
    """The writing thread of one process; other processes write in turn, by a lock file."""

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._is_closed = False
        self._connection = sqlite_engine(path).connect()
        self._lock = lock_file(path)
        self._thread = threading.Thread(target=self._run, name="sqlite-write", daemon=True)
        self._thread.start()

    async def submit(self, change: Callable[[Connection], T]) -> T:
        """Run a change and return its result after the commit.

        Raises:
            Throttled: it waited too long; it may still have been made.
        """
        if self._is_closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(change, future, loop))
        timer = loop.call_later(self._wait_seconds, _resolve, future, _Outcome(error=Throttled()))
        try:
            return await future
        finally:
            timer.cancel()

    def close(self) -> None:
        """Finish what was submitted; blocks."""
        self._is_closed = True
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()
        os.close(self._lock)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch = [self._jobs.get()]
            while len(batch) < BATCH_MAX and not self._jobs.empty():
                batch.append(self._jobs.get())
            is_last = None in batch
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                answers = _commit_all(self._connection, [job for job in batch if job and not job.future.done()])
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)
            _answer(answers)


def _commit_all(connection: Connection, jobs: Sequence[_Job]) -> list[tuple[_Job, _Outcome]]:
    """Run all jobs, together if SQLite goes along."""
    if not jobs:
        return []
    outcomes = _commit(connection, jobs)
    if outcomes is None and len(jobs) > 1:
        return [answer for job in jobs for answer in _commit_all(connection, [job])]
    return list(zip(jobs, outcomes or [], strict=True))


def _commit(connection: Connection, jobs: Sequence[_Job]) -> list[_Outcome] | None:
    """Run jobs in one transaction. None: SQLite gave it up, nothing is done; one job alone gets its error."""
    begun = _attempt(connection, "BEGIN IMMEDIATE")
    if begun.error is not None:
        return [begun] * len(jobs)
    outcomes: list[_Outcome] = []
    for job in jobs:
        outcomes.append(_run_in_savepoint(connection, job))
        if not raw_connection(connection).in_transaction:
            return outcomes if len(jobs) == 1 else None
    committed = _attempt(connection, "COMMIT")
    if committed.error is None:
        return outcomes
    if raw_connection(connection).in_transaction:
        _attempt(connection, "ROLLBACK")
    return [committed] if len(jobs) == 1 else None


def _run_in_savepoint(connection: Connection, job: _Job) -> _Outcome:
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        outcome = _Outcome(job.change(connection))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the one who waits for this change gets it
        outcome = _Outcome(error=translate(error))
        if raw_connection(connection).in_transaction:
            connection.exec_driver_sql("ROLLBACK TO job")
    if raw_connection(connection).in_transaction:
        connection.exec_driver_sql("RELEASE job")
    return outcome


def _attempt(connection: Connection, statement: str) -> _Outcome:
    try:
        connection.exec_driver_sql(statement)
    except BaseException as error:  # noqa: BLE001 - the writing thread must live; those who wait get the error
        return _Outcome(error=translate(error))
    return _Outcome()


def _answer(answers: Iterable[tuple[_Job, _Outcome]]) -> None:
    """Wake each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], _Outcome]]] = {}
    for job, outcome in answers:
        by_loop.setdefault(job.loop, []).append((job.future, outcome))
    for loop, outcomes in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve_all, outcomes)


def _resolve_all(outcomes: Iterable[tuple[asyncio.Future[Any], _Outcome]]) -> None:
    for future, outcome in outcomes:
        _resolve(future, outcome)


def _resolve(future: asyncio.Future[Any], outcome: _Outcome) -> None:
    if future.done():  # the request went away
        return
    if isinstance(outcome.error, StopIteration):
        future.set_exception(StrayStopIteration())
    elif outcome.error is not None:
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome.result)
