"""The PostgreSQL engine: psycopg connections in a bounded pool of threads, READ COMMITTED, conflicts retried."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from entrepot.domain.error import StorageFull, Throttled
from entrepot.store.metadata.base import Query, StrayStopIteration, T

CONNECTIONS = 8
ATTEMPTS = 6
LOCK_SECONDS = 10
"""How long a statement waits for a row that another transaction holds."""

_CONFLICTS = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_FULL = frozenset({"53100"})
_BUSY = frozenset({"55P03", "57014", "25006"})  # lock not available, query cancelled, read-only while failing over
_BUSY_CLASSES = ("08", "53", "57P")  # no connection, out of connections or memory, shutting down or starting


class PostgresDatabase:
    """Facts in a migrated PostgreSQL database. `url` is `postgresql://…`."""

    dialect = "postgresql"
    looks_up_inline = False

    def __init__(self, url: str, connections: int = CONNECTIONS, lock_seconds: float = LOCK_SECONDS) -> None:
        self._engine = create_engine(
            driver_url(url),
            pool_size=connections,
            max_overflow=0,
            isolation_level="READ COMMITTED",
            hide_parameters=True,  # what is in a statement does not belong in a log
        )
        event.listen(self._engine, "connect", lambda raw, _: _configure(raw, lock_seconds))
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="postgres")

    async def lookup(self, query: Query[T]) -> T:
        return await self.read(query)

    async def read(self, query: Query[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, query)

    async def write(self, change: Query[T], *, is_durable: bool = True, is_short: bool = False) -> T:  # noqa: ARG002
        # Without waiting for its disk PostgreSQL would forget commits when it is killed, not only with the power.
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._write, change)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        self._engine.dispose()

    def _read(self, query: Query[T]) -> T:
        return self._retry(lambda _: self._run(self._reader, query))

    def _write(self, change: Query[T]) -> T:
        return self._retry(lambda progress: self._run(self._engine, change, progress))

    def _run(self, engine: Engine, query: Query[T], progress: _Progress | None = None) -> T:
        try:
            with engine.begin() as connection:
                result = query(connection)
                if progress:
                    progress.is_committing = True
        except StopIteration as error:
            raise StrayStopIteration from error
        return result

    def _retry(self, run: Callable[[_Progress], T]) -> T:
        """Run again after a conflict, and on a new connection where the old one was lost before the commit."""
        for attempt in range(1, ATTEMPTS + 1):
            progress = _Progress()
            try:
                return run(progress)
            except (DBAPIError, PoolTimeout) as error:
                if attempt == ATTEMPTS or not _may_run_again(error, progress):
                    raise _translate(error) from error
                if _state(error) in _CONFLICTS:
                    time.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - spreads retries, no secret
        raise AssertionError("unreachable")


@dataclass(slots=True)
class _Progress:
    """How far a transaction came: an error while committing may hide a commit."""

    is_committing: bool = False


def _may_run_again(error: DBAPIError | PoolTimeout, progress: _Progress) -> bool:
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return _state(error) in _CONFLICTS or (is_lost and not progress.is_committing)


def driver_url(url: str) -> URL:
    """The URL with the driver that we use: `postgresql://` and `postgres://` mean the same."""
    return make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg")


def _configure(raw: psycopg.Connection, lock_seconds: float) -> None:
    raw.execute("SELECT set_config('lock_timeout', %s, false)", (str(int(lock_seconds * 1000)),))
    raw.commit()


def _state(error: Exception) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _translate(error: Exception) -> Exception:
    state = _state(error)
    if state in _FULL:
        return StorageFull()
    if state in _CONFLICTS | _BUSY or state.startswith(_BUSY_CLASSES) or isinstance(error, PoolTimeout):
        return Throttled()
    if isinstance(error, OperationalError) and not state:
        return Throttled()  # the server went away; the next request connects again
    return error
