"""The schema's revision: which one a database has, and whether this program can use it.

Kept apart from `migrate.py`, so that a start without a migration does not load Alembic.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, MetaData, String, Table, create_engine, inspect, select
from sqlalchemy.schema import Column

from entrepot.store.metadata.postgres import driver_url
from entrepot.store.metadata.sqlite_file import sqlite_engine

VERSIONS = Path(__file__).parent / "migrations" / "versions"

revision_table = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True),
)


class SchemaTooNew(Exception):
    """The database was migrated by a newer entrepot; this one would damage it."""

    def __init__(self, found: str, newest: str) -> None:
        super().__init__(f"the database has schema {found}, this entrepot knows schemas up to {newest}: upgrade it")
        self.found, self.newest = found, newest


def newest_revision() -> str:
    """The revision that this program migrates to. Revisions are numbers of four digits, so text order is theirs."""
    return max(path.stem.removeprefix("revision_") for path in VERSIONS.glob("revision_*.py"))


def find_revision(connection: Connection) -> str | None:
    """The revision of a database; None for an empty one."""
    if not inspect(connection).has_table(revision_table.name):
        return None
    return connection.scalar(select(revision_table.c.version_num))


def is_current(revision: str | None) -> bool:
    """Whether a database of that revision can be used as it is.

    Raises:
        SchemaTooNew: it is newer than this program.
    """
    newest = newest_revision()
    if revision is not None and revision > newest:
        raise SchemaTooNew(revision, newest)
    return revision == newest


def is_sqlite_current(path: Path) -> bool:
    """`is_current` of a SQLite file, which may be missing."""
    if not path.exists():
        return False
    engine = sqlite_engine(path)
    with engine.connect() as connection:
        return is_current(find_revision(connection))


def is_postgres_current(url: str) -> bool:
    """`is_current` of a PostgreSQL database."""
    engine = create_engine(driver_url(url))
    try:
        with engine.connect() as connection:
            return is_current(find_revision(connection))
    finally:
        engine.dispose()
