"""Migrations on both engines: the revisions make exactly the schema, once, and refuse what is newer."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, text

from entrepot.store.metadata import migrate, schema
from entrepot.store.metadata.migrate import Migration, migrate_postgres, migrate_sqlite
from entrepot.store.metadata.revision import (
    SchemaTooNew,
    is_postgres_current,
    is_sqlite_current,
    newest_revision,
)
from tests.support.database import DatabaseAddress, PostgresAddress, SqliteAddress
from tests.support.postgres import PostgresServer


def test_the_revisions_leave_no_difference_to_the_schema(database_address: DatabaseAddress) -> None:
    engine = database_address.engine()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_the_revisions_make_the_same_sqlite_tables_as_the_schema(sqlite_address: SqliteAddress, tmp_path: Path) -> None:
    created = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    schema.metadata.create_all(created)
    assert _sqlite_tables(sqlite_address.engine()) == _sqlite_tables(created)


def test_the_revisions_make_the_same_postgres_tables_as_the_schema(
    postgres_address: PostgresAddress, postgres_server: PostgresServer
) -> None:
    with postgres_server.fresh_database("template0") as url:
        created = create_engine(url)
        schema.metadata.create_all(created)
        assert _postgres_tables(postgres_address.engine()) == _postgres_tables(created)


def test_a_second_migration_changes_nothing(database_address: DatabaseAddress) -> None:
    assert _migrate(database_address) == Migration(newest_revision(), newest_revision())
    assert _is_current(database_address)


def test_a_missing_sqlite_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "with spaces, 100% and #?.db"
    assert not is_sqlite_current(path)
    assert migrate_sqlite(path) == Migration(None, newest_revision())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert is_sqlite_current(path)


def test_a_database_of_a_newer_program_is_refused(database_address: DatabaseAddress) -> None:
    _set_revision(database_address, "9999")
    with pytest.raises(SchemaTooNew) as refused:
        _is_current(database_address)
    assert (refused.value.found, refused.value.newest) == ("9999", newest_revision())
    with pytest.raises(SchemaTooNew):
        _migrate(database_address)


def test_a_sqlite_file_is_copied_before_it_changes(
    sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_revision(sqlite_address, "0000")
    _add_account(sqlite_address)
    monkeypatch.setattr(migrate, "_upgrade", _upgrade_by_hand)
    migrate_sqlite(sqlite_address.path)
    assert is_sqlite_current(sqlite_address.path)
    copy = sqlite_address.path.with_name(f"{sqlite_address.path.name}.before-{newest_revision()}")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0000",)]
        assert connection.execute("SELECT id FROM account").fetchall() == [("123456789012",)]
    connection.close()


def test_a_migration_that_fails_changes_nothing(
    database_address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("DROP TABLE doomed_object"))
        raise ZeroDivisionError

    _set_revision(database_address, "0000")
    monkeypatch.setattr(migrate, "_upgrade", fail)
    with pytest.raises(ZeroDivisionError):
        _migrate(database_address)
    engine = database_address.engine()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM doomed_object")).scalar() == 0
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0000"
    engine.dispose()


def test_a_migration_that_breaks_foreign_keys_changes_nothing(
    sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def orphan(connection: Connection) -> None:
        connection.execute(text("DELETE FROM account"))

    _add_account(sqlite_address)
    _set_revision(sqlite_address, "0000")
    engine = sqlite_address.engine()
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO registry VALUES (1, '123456789012', 'us-east-1', '{}', 0)"))
    monkeypatch.setattr(migrate, "_upgrade", orphan)
    with pytest.raises(migrate.MigrationFailed) as failed:
        migrate_sqlite(sqlite_address.path)
    assert failed.value.tables == ["registry"]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM account")).scalar() == 1


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_of_two_programs_that_start_together_one_migrates(
    dialect: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if dialect == "sqlite":
        done = _together(lambda: migrate_sqlite(tmp_path / "new.db"))
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.fresh_database("template0") as url:
            done = _together(lambda: migrate_postgres(url))
    assert sorted(migration.before or "" for migration in done) == ["", newest_revision()]


def test_reading_the_revision_does_not_load_alembic() -> None:
    program = "import sys, entrepot.store.metadata.revision; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def _is_current(address: DatabaseAddress) -> bool:
    if isinstance(address, SqliteAddress):
        return is_sqlite_current(address.path)
    assert isinstance(address, PostgresAddress)
    return is_postgres_current(address.url)


def _migrate(address: DatabaseAddress) -> Migration:
    if isinstance(address, SqliteAddress):
        return migrate_sqlite(address.path)
    assert isinstance(address, PostgresAddress)
    return migrate_postgres(address.url)


def _set_revision(address: DatabaseAddress, revision: str) -> None:
    engine = address.engine()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def _upgrade_by_hand(connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": newest_revision()})


def _add_account(address: DatabaseAddress) -> None:
    engine = address.engine()
    with engine.begin() as connection:
        connection.execute(schema.account.insert().values(id="123456789012", name="a", access_epoch=1, created_at=1))
    engine.dispose()


def _together(run: Any) -> list[Migration]:
    done: list[Migration] = []
    threads = [threading.Thread(target=lambda: done.append(run())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def _sqlite_tables(engine: Engine) -> dict[str, list[str]]:
    """Each table and index with the parts of its definition; the order of constraints does not matter."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
        ).all()
    engine.dispose()
    return {name: _parts(sql) for name, sql in rows}


def _parts(sql: str) -> list[str]:
    """What stands between the outer brackets, divided at its commas; inner brackets stay whole."""
    depth, parts = 0, [""]
    for character in sql.partition("(")[2].rpartition(")")[0]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return sorted(part.strip() for part in parts)


def _postgres_tables(engine: Engine) -> list[Any]:
    """Columns with type, collation and default; constraints; indexes."""
    statements = (
        """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                  coalesce(l.collname, ''), coalesce(pg_get_expr(d.adbin, d.adrelid), '')
           FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           LEFT JOIN pg_collation l ON l.oid = a.attcollation
           LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
             AND c.relname <> 'alembic_version' ORDER BY 1, 2""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
           ORDER BY 1, 2""",
        """SELECT tablename, indexname, indexdef FROM pg_indexes
           WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1, 2""",
    )
    with engine.connect() as connection:
        found = [connection.execute(text(statement)).all() for statement in statements]
    engine.dispose()
    return found
