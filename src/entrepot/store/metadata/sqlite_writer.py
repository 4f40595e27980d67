"""The writer of a SQLite file: one thread that commits all waiting changes as one transaction.

Each change runs in a savepoint, so that a failure undoes only its own work, and is answered after the commit.
Where SQLite gives up the transaction as a whole (a full disk), the changes run again one by one. The commit itself
does not wait for the disk: a change that must survive a loss of power is answered when `LogSync` has done that, while
this thread and other processes write on.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from entrepot.domain.error import Throttled
from entrepot.store.metadata.base import StrayStopIteration
from entrepot.store.metadata.commit_wait import CommitWaits
from entrepot.store.metadata.sqlite_file import lock_file, raw_connection, sqlite_engine, translate
from entrepot.store.metadata.sqlite_log import LogSync

WAIT_SECONDS = 10.0
"""A change that has not been committed after this is answered as Throttled."""

BATCH_MAX = 64

CHECKPOINT_PAGES = 4000
"""The log is copied into the database when it has so many pages (16 MiB), four times SQLite's own number: pages that
every push changes are copied once instead of four times, and whoever commits then keeps the others waiting."""

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
    is_durable: bool


_Answer = tuple[_Job, _Outcome]


class SqliteWriter:
    """The writing thread of one process; other processes write in turn, by a lock file."""

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._is_closed = False
        self._waits = CommitWaits()
        self._connection = sqlite_engine(path).connect()
        for setting in ("synchronous=NORMAL", f"wal_autocheckpoint={CHECKPOINT_PAGES}"):
            raw_connection(self._connection).execute(f"PRAGMA {setting}").close()
        self._log = LogSync(path)
        self._lock = lock_file(path)
        self._thread = threading.Thread(target=self._run, name="sqlite-write", daemon=True)
        self._thread.start()

    async def submit(self, change: Callable[[Connection], T], *, is_durable: bool = True) -> T:
        """Run a change and return its result after the commit, if `is_durable` once that survives a loss of power.

        Raises:
            Throttled: it waited too long; it may still have been made.
            OSError: it was made, and the disk would not keep it.
        """
        if self._is_closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        begun = time.monotonic()
        self._jobs.put(_Job(change, future, loop, is_durable))
        timer = loop.call_later(self._wait_seconds, _resolve, future, _Outcome(error=Throttled()))
        try:
            return await future
        finally:
            timer.cancel()
            self._waits.note(time.monotonic() - begun)

    def close(self) -> None:
        """Finish what was submitted; blocks."""
        self._is_closed = True
        self._jobs.put(None)
        self._thread.join()
        self._log.close()
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
            self._answer(answers)

    def _answer(self, answers: Sequence[_Answer]) -> None:
        """Answer what needs no disk at once, and the rest when it is there."""
        now: list[_Answer] = []
        later: list[_Answer] = []
        for job, outcome in answers:
            waits = job.is_durable and outcome.error is None
            (later if waits else now).append((job, outcome))
        _answer(now)
        if later:
            self._log.wait(lambda failed: _answer([(job, _or_failed(outcome, failed)) for job, outcome in later]))


def _commit_all(connection: Connection, jobs: Sequence[_Job]) -> list[_Answer]:
    """Run all jobs, together if SQLite goes along."""
    if not jobs:
        return []
    outcomes = _commit(connection, jobs)
    if outcomes is None and len(jobs) > 1:
        return [answer for job in jobs for answer in _commit_all(connection, [job])]
    return list(zip(jobs, outcomes or [], strict=True))


def _commit(connection: Connection, jobs: Sequence[_Job]) -> list[_Outcome] | None:
    """Run jobs in one transaction. None: SQLite gave it up, nothing is done; one job alone gets its error."""
    raw = raw_connection(connection)
    begun = _attempt(raw, "BEGIN IMMEDIATE")
    if begun.error is not None:
        return [begun] * len(jobs)
    outcomes: list[_Outcome] = []
    for job in jobs:
        outcomes.append(_run_in_savepoint(connection, raw, job) if len(jobs) > 1 else _run(connection, job))
        if not raw.in_transaction:
            return outcomes if len(jobs) == 1 else None
    is_undone = len(jobs) == 1 and outcomes[0].error is not None
    ended = _attempt(raw, "ROLLBACK" if is_undone else "COMMIT")
    if ended.error is None or is_undone:
        return outcomes
    if raw.in_transaction:
        _attempt(raw, "ROLLBACK")
    return [ended] if len(jobs) == 1 else None


def _run_in_savepoint(connection: Connection, raw: sqlite3.Connection, job: _Job) -> _Outcome:
    raw.execute("SAVEPOINT job")
    outcome = _run(connection, job)
    if raw.in_transaction:
        if outcome.error is not None:
            raw.execute("ROLLBACK TO job")
        raw.execute("RELEASE job")
    return outcome


def _run(connection: Connection, job: _Job) -> _Outcome:
    try:
        return _Outcome(job.change(connection))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the one who waits for this change gets it
        return _Outcome(error=translate(error))


def _or_failed(outcome: _Outcome, failed: OSError | None) -> _Outcome:
    return outcome if failed is None else _Outcome(error=failed)


def _attempt(raw: sqlite3.Connection, statement: str) -> _Outcome:
    try:
        raw.execute(statement)
    except BaseException as error:  # noqa: BLE001 - the writing thread must live; those who wait get the error
        return _Outcome(error=translate(error))
    return _Outcome()


def _answer(answers: Iterable[_Answer]) -> None:
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
