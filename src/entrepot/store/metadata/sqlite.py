"""The SQLite engine: readers beside one writer, reads by key on the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from entrepot.domain.error import Throttled
from entrepot.store.metadata.base import Query, StrayStopIteration, T
from entrepot.store.metadata.sqlite_file import refuse_network_file_system, sqlite_engine, translate
from entrepot.store.metadata.sqlite_writer import SqliteWriter

READER_BUSY_SECONDS = 5.0
LOOKUP_BUSY_SECONDS = 0.05
READERS = 4


class SqliteDatabase:
    """Facts in one SQLite file on a local disk. The file exists and is migrated.

    Raises:
        FileSystemRefused: the file is on a network file system, or SQLite refuses what durability needs.
    """

    dialect = "sqlite"
    looks_up_inline = True

    def __init__(self, path: Path) -> None:
        refuse_network_file_system(path)
        self._lookups = sqlite_engine(path, LOOKUP_BUSY_SECONDS, is_read_only=True).connect()
        self._readers = sqlite_engine(path, READER_BUSY_SECONDS, pool_size=READERS, is_read_only=True)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-read")
        self._writer = SqliteWriter(path)

    async def lookup(self, query: Query[T]) -> T:
        try:
            return query(self._lookups)
        except (DatabaseError, sqlite3.DatabaseError) as error:
            translated = translate(error)
            if not isinstance(translated, Throttled):
                raise translated from error
        return await self.read(query)  # waiting longer is for another thread

    async def read(self, query: Query[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, query)

    async def write(self, change: Query[T], *, is_durable: bool = True, is_short: bool = False) -> T:
        return await self._writer.submit(change, is_durable=is_durable, is_short=is_short)

    async def close(self) -> None:
        self._writer.flush()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.close)
        await loop.run_in_executor(None, self._pool.shutdown)
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
        except StopIteration as error:
            raise StrayStopIteration from error
        except (DatabaseError, sqlite3.DatabaseError) as error:
            raise translate(error) from error
