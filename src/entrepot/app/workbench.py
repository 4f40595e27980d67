"""The workbench of operators' commands: database, keys and bytes, opened beside a running server or without one.

Whatever prevents a command is one line in the operator's words.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from entrepot.app import blob_place, engine
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory, DataDirectoryError
from entrepot.app.protection import Protectors, open_protectors
from entrepot.domain.error import RegistryError, Throttled
from entrepot.domain.identity import OperatorError
from entrepot.domain.key import MasterKeyMissing, MasterKeyWrong, SealBroken
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.storage import Storage
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.revision import SchemaTooNew, is_postgres_current, is_sqlite_current
from entrepot.store.metadata.sqlite_file import FileSystemRefused

T = TypeVar("T")


class CommandError(Exception):
    """It cannot be done; the text says why, in one line."""

    code = 1
    """With which the program ends."""


@dataclass(frozen=True)
class Workbench:
    """What a command works on."""

    settings: Settings
    directory: DataDirectory
    context: Context
    database: Database
    keys: KeyService

    @cached_property
    def protectors(self) -> Protectors:
        """What opens the keys of repositories."""
        return open_protectors(self.settings, self.database, self.context, self.keys)

    @asynccontextmanager
    async def open_storage(self) -> AsyncIterator[Storage]:
        """The bytes, for as long as the block lasts.

        Raises:
            CommandError: the database counts on another directory than this one.
        """
        if not await blob_place.is_claimed(self.database, self.settings, self.directory):
            place = self.settings.blob_url or self.directory.blobs
            raise CommandError(f"the database keeps its blobs in another place than {place}")
        store = engine.open_blob_store(self.settings, self.directory)
        storage = Storage(store, self.keys, self.context, self.protectors.repository_keys)
        try:
            yield storage
        finally:
            await storage.close()


def run(settings: Settings, act: Callable[[Workbench], Awaitable[T]]) -> T:
    """Open everything, act, and close it again.

    Raises:
        CommandError: it cannot be opened, or the act was refused.
    """

    async def work() -> T:
        async with opened(settings) as bench:
            return await act(bench)

    structlog.configure(logger_factory=_log_to_standard_error)
    return spoken(lambda: asyncio.run(work()))


def _log_to_standard_error(*_: object) -> structlog.PrintLogger:
    """Standard output belongs to what the command prints, which may be JSON for a program."""
    return structlog.PrintLogger(sys.stderr)


def spoken(act: Callable[[], T]) -> T:
    """Act, with errors in one line.

    Raises:
        CommandError: it went wrong in a way that an operator can do something about.
    """
    try:
        return act()
    except (DataDirectoryError, FileSystemRefused, SchemaTooNew, OperatorError) as error:
        raise CommandError(str(error)) from error
    except (MasterKeyMissing, MasterKeyWrong, SealBroken) as error:
        raise CommandError(f"{error}: is this the data directory of the server, and its master key?") from error
    except Throttled as error:
        raise CommandError("the database is busy or cannot be reached: try again") from error
    except RegistryError as error:
        raise CommandError(" ".join(str(part) for part in error.args) or type(error).__name__) from error
    except DBAPIError as error:
        raise CommandError(f"the database cannot be used: {error.orig}") from error


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Workbench]:
    """Everything open, for as long as the block lasts."""
    directory, context = DataDirectory.of(settings), Context()
    check_schema(settings, directory)
    database = engine.open_database(settings, directory)
    try:
        keys = await engine.open_keys(database, context, settings, directory)
        bench = Workbench(settings, directory, context, database, keys)
        yield bench
        await bench.protectors.close()
    finally:
        await database.close()


def check_schema(settings: Settings, directory: DataDirectory) -> None:
    """Refuse a database that is missing or not of this version.

    Raises:
        CommandError, SchemaTooNew
    """
    file = directory.sqlite_file
    if not (is_sqlite_current(file) if file is not None else is_postgres_current(settings.database_url or "")):
        place = file or "the database"
        raise CommandError(f"{place} is missing or made by an older version: start `entrepot serve` on it once")
