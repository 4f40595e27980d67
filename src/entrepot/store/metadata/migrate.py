"""Migration of a database to the schema of this program, by one process at a time.

Revisions expand, later ones contract: the version before keeps working beside this one. Each migration is one
transaction on either engine. A SQLite file is copied before it is migrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.schema import CreateTable

from entrepot.store.durability import fsync_path
from entrepot.store.metadata.postgres import driver_url
from entrepot.store.metadata.revision import VERSIONS, find_revision, is_current, newest_revision, revision_table
from entrepot.store.metadata.sqlite_file import lock_for_writing, sqlite_engine

CREATE_ATTEMPTS = 5


class MigrationFailed(Exception):
    """Foreign keys of `tables` would be broken, so nothing was changed."""

    def __init__(self, tables: list[str]) -> None:
        super().__init__(f"rows of these tables refer to rows that are gone: {', '.join(tables)}")
        self.tables = tables


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done. `before` is None for a database that was empty; equal revisions mean nothing was."""

    before: str | None
    after: str


def migrate_sqlite(path: Path) -> Migration:
    """Migrate a SQLite file, made when missing, while nobody else writes to it.

    Before an existing schema is changed, the file is copied to `<file>.before-<new revision>`.

    Raises:
        SchemaTooNew: a newer program migrated it.
        MigrationFailed: foreign keys are broken; nothing was changed.
    """
    path.touch(mode=0o600)
    with lock_for_writing(path), sqlite_engine(path).connect() as connection:
        before = find_revision(connection)
        if not is_current(before):
            if before is not None:
                _copy(connection, path.with_name(f"{path.name}.before-{newest_revision()}"))
            _migrate_sqlite(connection)
    return Migration(before, newest_revision())


def migrate_postgres(url: str) -> Migration:
    """Migrate a PostgreSQL database while no other process does; readers and writers of it go on.

    Raises:
        SchemaTooNew: a newer program migrated it.
    """
    engine = create_engine(driver_url(url))
    try:
        _create_revision_table(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"LOCK TABLE {revision_table.name} IN SHARE ROW EXCLUSIVE MODE")
            before = find_revision(connection)
            if not is_current(before):
                _upgrade(connection)
    finally:
        engine.dispose()
    return Migration(before, newest_revision())


def _migrate_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")  # tables are made anew; checked as a whole below
    connection.exec_driver_sql("BEGIN EXCLUSIVE")
    try:
        _upgrade(connection)
        _check_foreign_keys(connection)
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise MigrationFailed(sorted({row[0] for row in broken}))


def _copy(connection: Connection, target: Path) -> None:
    """Write a copy of the whole database that is complete once it has its name."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    connection.exec_driver_sql("VACUUM INTO ?", (str(partial),))
    partial.chmod(0o600)
    fsync_path(partial)
    partial.replace(target)
    fsync_path(target.parent)


def _create_revision_table(engine: Engine) -> None:
    """Make the table that migrations lock. PostgreSQL may refuse one of two that make it at the same time."""
    for attempt in range(1, CREATE_ATTEMPTS + 1):
        try:
            with engine.begin() as connection:
                connection.execute(CreateTable(revision_table, if_not_exists=True))
        except (IntegrityError, ProgrammingError):
            if attempt == CREATE_ATTEMPTS:
                raise
        else:
            return


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
