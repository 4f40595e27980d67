"""Fixtures: a migrated database of a test's own, on SQLite and on a real PostgreSQL.

`database` runs a test on both engines; `sqlite_database` and `postgres_database` on one. `database_address` is
the database before anybody opened it: tests with several processes or interleaved connections start there.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import Engine, create_engine

from entrepot.store.metadata.base import Database
from entrepot.store.metadata.migrate import migrate_postgres, migrate_sqlite
from entrepot.store.metadata.postgres import PostgresDatabase
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.support.postgres import PostgresServer


class DatabaseAddress(Protocol):
    """A migrated database that nobody has opened yet."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""

    def open(self) -> Database:
        """Open it as a worker does. The caller closes what this returns."""

    def engine(self) -> Engine:
        """A plain SQLAlchemy engine beside the Database, for checks and interleavings."""


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """A SQLite file."""

    path: Path
    dialect: str = "sqlite"

    def open(self) -> SqliteDatabase:
        return SqliteDatabase(self.path)

    def engine(self) -> Engine:
        return create_engine(f"sqlite:///{self.path}")


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A database of the PostgreSQL server of this test run."""

    url: str
    dialect: str = "postgresql"

    def open(self) -> PostgresDatabase:
        return PostgresDatabase(self.url, connections=4)

    def engine(self) -> Engine:
        return create_engine(self.url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate_sqlite(path)
    return path


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The server of this test run, shared by all its processes."""
    return PostgresServer.of_this_run(prepare_template=migrate_postgres)


@pytest.fixture
def sqlite_address(sqlite_template: Path, tmp_path: Path) -> SqliteAddress:
    path = tmp_path / "entrepot.db"
    shutil.copyfile(sqlite_template, path)
    return SqliteAddress(path)


@pytest.fixture
def postgres_address(postgres_server: PostgresServer) -> Iterator[PostgresAddress]:
    with postgres_server.fresh_database() as url:
        yield PostgresAddress(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_address(request: pytest.FixtureRequest) -> DatabaseAddress:
    """A migrated database of the test's own, on each engine."""
    name = {"sqlite": "sqlite_address", "postgresql": "postgres_address"}[request.param]
    address: DatabaseAddress = request.getfixturevalue(name)
    return address


@pytest.fixture
async def database(database_address: DatabaseAddress) -> AsyncIterator[Database]:
    """The database, open."""
    opened = database_address.open()
    yield opened
    await opened.close()


@pytest.fixture
async def second_database(database: Database, database_address: DatabaseAddress) -> AsyncIterator[Database]:
    """The same database, opened a second time as another worker does."""
    opened = database_address.open()
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_database(sqlite_address: SqliteAddress) -> AsyncIterator[SqliteDatabase]:
    opened = sqlite_address.open()
    yield opened
    await opened.close()


@pytest.fixture
async def postgres_database(postgres_address: PostgresAddress) -> AsyncIterator[PostgresDatabase]:
    opened = postgres_address.open()
    yield opened
    await opened.close()
