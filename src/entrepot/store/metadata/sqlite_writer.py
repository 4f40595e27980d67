"""Writing to a SQLite file: short changes on the event loop, the others in one thread, all as few transactions.

The changes that an event loop meets in one round become one transaction, and so do all that wait for the thread. A
commit does not wait for the disk: a change that must survive a loss of power is answered when `LogSync` has done
that, while this process and others write on.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from entrepot.domain.error import Throttled
from entrepot.store.metadata.commit_wait import CommitWaits
from entrepot.store.metadata.sqlite_file import lock_file, raw_connection, sqlite_engine
from entrepot.store.metadata.sqlite_log import LogSync
from entrepot.store.metadata.sqlite_transaction import Answer, Job, Outcome, answer, commit_all, resolve, resolve_all

WAIT_SECONDS = 10.0
"""A change that has not been committed after this is answered as Throttled."""

BATCH_MAX = 64

PATIENCE_SECONDS = 0.002
"""For so long short changes ask for the lock, once in each round of the event loop, before the thread waits for it. A
round does what else there is to do, or gives up the core; a change of threads costs more than what another process
does under the lock."""

T = TypeVar("T")


class SqliteWriter:
    """All writing of one process; other processes write in turn, by a lock file."""

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._is_closed = False
        self._waits = CommitWaits()
        self._log = LogSync(path)
        self._long = _Place(path, self._log)
        self._short = _Place(path, self._log, busy_seconds=0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._round: list[Job] = []
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-write", daemon=True)
        self._thread.start()

    async def submit(self, change: Callable[[Connection], T], *, is_durable: bool = True, is_short: bool = False) -> T:
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
        self._take(Job(change, future, loop, is_durable), is_short=is_short)
        timer = loop.call_later(self._wait_seconds, resolve, future, Outcome(error=Throttled()))
        try:
            return await future
        finally:
            timer.cancel()
            self._waits.note(time.monotonic() - begun)

    def flush(self, deadline: float = 0) -> None:
        """Begin what was submitted to the event loop, on which this is called.

        If the lock is not free, in one of the next rounds before `deadline` (monotonic), with what comes until then.
        """
        while self._round:
            jobs = self._round[:BATCH_MAX]
            answers = self._short.commit(jobs, waits=False)
            if answers is None and time.monotonic() < deadline:
                asyncio.get_running_loop().call_soon(self.flush, deadline)
                return
            self._round = self._round[BATCH_MAX:]
            if answers is None or all(isinstance(outcome.error, Throttled) for _, outcome in answers):
                for job in jobs:
                    self._jobs.put(job)
            else:
                resolve_all((job.future, outcome) for job, outcome in self._now(answers))

    def close(self) -> None:
        """Finish what was submitted; blocks."""
        self._is_closed = True
        self._jobs.put(None)
        self._thread.join()
        self._log.close()
        for place in (self._long, self._short):
            place.close()

    def _take(self, job: Job, *, is_short: bool) -> None:
        """One event loop, the first that asks, writes itself; a connection serves one thread."""
        self._loop = self._loop or job.loop
        if not is_short or job.loop is not self._loop:
            self._jobs.put(job)
            return
        if not self._round:
            job.loop.call_soon(self.flush, time.monotonic() + PATIENCE_SECONDS)
        self._round.append(job)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch = [self._jobs.get()]
            while len(batch) < BATCH_MAX and not self._jobs.empty():
                batch.append(self._jobs.get())
            is_last = None in batch
            answer(self._now(self._long.commit([job for job in batch if job]) or ()))

    def _now(self, answers: Sequence[Answer]) -> list[Answer]:
        """Those answers that wait for no disk; the others are given when it is there."""
        now: list[Answer] = []
        later: list[Answer] = []
        for job, outcome in answers:
            waits = job.is_durable and outcome.error is None
            (later if waits else now).append((job, outcome))
        if later:
            self._log.wait(lambda failed: answer(later if failed is None else _failed(later, failed)))
        return now


class _Place:
    """A connection that writes, and this process's hold on the lock of all that write. Used by one thread."""

    def __init__(self, path: Path, log: LogSync, busy_seconds: float | None = None) -> None:
        engine = sqlite_engine(path) if busy_seconds is None else sqlite_engine(path, busy_seconds)
        self._connection = engine.connect()
        self._raw = raw_connection(self._connection)
        for setting in ("synchronous=NORMAL", "wal_autocheckpoint=0"):  # `LogSync` syncs and copies
            self._raw.execute(f"PRAGMA {setting}").close()
        self._lock = lock_file(path)
        self._log = log

    def commit(self, jobs: Sequence[Job], *, waits: bool = True) -> list[Answer] | None:
        """Run the jobs that are still waited for. None: the lock is not free, and this place `waits` for none."""
        try:
            if not self._take_lock(waits=waits):
                return None
        except OSError as error:
            return [(job, Outcome(error=error)) for job in jobs]
        before = self._raw.total_changes
        try:
            answers = commit_all(self._connection, [job for job in jobs if not job.future.done()])
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        self._log.grow(self._raw.total_changes - before)
        return answers

    def close(self) -> None:
        self._connection.close()
        os.close(self._lock)

    def _take_lock(self, *, waits: bool) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.sched_yield()  # to whoever has it
            return False
        return True


def _failed(answers: Sequence[Answer], error: OSError) -> list[Answer]:
    return [(job, Outcome(error=error)) for job, _ in answers]
