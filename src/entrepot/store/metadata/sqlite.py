"""The SQLite engine: one writer thread that commits all waiting changes together, readers beside it.

WAL, `synchronous=FULL`: a commit survives power loss. Writers of several processes queue on a lock file rather
than in SQLite's busy handler, which sleeps. Reads by key run on the event loop with a busy timeout of 50 ms.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError

from entrepot.domain.error import RegistryError, StorageFull, Throttled
from entrepot.store.metadata.base import Query, T

WRITER_BUSY_SECONDS = 10.0
READER_BUSY_SECONDS = 5.0
LOOKUP_BUSY_SECONDS = 0.05
READERS = 4
BATCH_MAX = 64


@dataclass(slots=True)
class _Job:
    change: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class SqliteDatabase:
    """Facts in one SQLite file on a local disk."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers = _engine(path, READER_BUSY_SECONDS, pool_size=READERS)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-read")
        self._lookups = _engine(path, LOOKUP_BUSY_SECONDS).connect()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_loop, name="sqlite-write", daemon=True)
        self._writer.start()

    async def lookup(self, query: Query[T]) -> T:
        try:
            return query(self._lookups)
        except DatabaseError as error:
            raise _translate(error) from error

    async def read(self, query: Query[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, query)

    async def write(self, change: Query[T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(change, future, loop))
        return await future

    async def close(self) -> None:
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)
        self._pool.shutdown()
        self._lookups.close()
        self._readers.dispose()

    def _read(self, query: Query[T]) -> T:
        try:
            with self._readers.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                try:
                    return query(connection)
                finally:
                    connection.exec_driver_sql("ROLLBACK")
        except DatabaseError as error:
            raise _translate(error) from error

    def _write_loop(self) -> None:
        lock = os.open(
            self._path.with_name(self._path.name + ".write-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        with _engine(self._path, WRITER_BUSY_SECONDS).connect() as connection:
            last = False
            while not last:
                batch = [self._jobs.get()]
                while len(batch) < BATCH_MAX and not self._jobs.empty():
                    batch.append(self._jobs.get())
                last = None in batch
                jobs = [job for job in batch if job is not None]
                if jobs:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    try:
                        outcomes = _commit(connection, jobs)
                    finally:
                        fcntl.flock(lock, fcntl.LOCK_UN)
                    for job, outcome in zip(jobs, outcomes, strict=True):
                        job.loop.call_soon_threadsafe(_resolve, job.future, *outcome)
        os.close(lock)


def _commit(connection: Connection, jobs: list[_Job]) -> list[tuple[Any, BaseException | None]]:
    """Run every job in one transaction, each in a savepoint; the result or error of each."""
    outcomes: list[tuple[Any, BaseException | None]] = []
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for job in jobs:
            connection.exec_driver_sql("SAVEPOINT job")
            try:
                outcomes.append((job.change(connection), None))
            except BaseException as error:
                outcomes.append((None, _translate(error)))
                connection.exec_driver_sql("ROLLBACK TO job")
            connection.exec_driver_sql("RELEASE job")
        connection.exec_driver_sql("COMMIT")
    except BaseException as error:
        if _raw(connection).in_transaction:
            connection.exec_driver_sql("ROLLBACK")
        return [(None, _translate(error))] * len(jobs)
    return outcomes


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # the request went away
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(raw)
    return raw


def _translate(error: BaseException) -> BaseException:
    if isinstance(error, RegistryError) or not isinstance(error, DatabaseError):
        return error
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Throttled()
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StorageFull()
    return error


def _engine(path: Path, busy_seconds: float, pool_size: int = 0) -> Engine:
    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_size": pool_size} if pool_size else {"poolclass": NullPool}
    engine = create_engine(
        f"sqlite:///{path}",
        isolation_level="AUTOCOMMIT",  # BEGIN and COMMIT are said by hand
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
        **pool,
    )
    event.listen(engine, "connect", _configure)
    return engine


def _configure(raw: sqlite3.Connection, _: object) -> None:
    for name, value, expected in (
        ("journal_mode", "WAL", "wal"),
        ("synchronous", "FULL", 2),
        ("foreign_keys", "ON", 1),
    ):
        raw.execute(f"PRAGMA {name}={value}")
        (actual,) = raw.execute(f"PRAGMA {name}").fetchone()
        if actual != expected:
            raise RuntimeError(
                f"SQLite refused {name}={value} and stays at {actual}: is the data directory on a local disk?"
            )
    raw.execute("PRAGMA cache_size=-16384")
