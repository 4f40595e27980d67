"""Snapshots: a whole database at one moment as a SQLite file, whichever engine it is on, and back into PostgreSQL.

SQLite is copied by its online backup, PostgreSQL read table by table in one REPEATABLE READ transaction; writers go on.
What belongs to the moment and not to the data is left out: uploads under way, sentences of removal, holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, TextClause, create_engine, func, insert, select, text

from entrepot.store.durability import fsync_path
from entrepot.store.metadata.key import find_check
from entrepot.store.metadata.postgres import driver_url
from entrepot.store.metadata.revision import find_revision, revision_table
from entrepot.store.metadata.schema import (
    blob,
    collection_hold,
    doomed_object,
    file_store,
    metadata,
    upload,
    upload_segment,
)

ROWS_AT_ONCE = 500
_OF_THE_MOMENT = (upload_segment, upload, doomed_object, collection_hold)


class NotEmpty(Exception):
    """The database that a snapshot should be loaded into has tables already."""


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object that the snapshot counts on."""

    storage_key: str
    size_bytes: int
    store: str
    format: int
    frame_bytes: int


def snapshot_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is at one moment; `target` is durable on return and must not exist."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
    _finish(target)


def snapshot_postgres(url: str, target: Path) -> None:
    """Write a PostgreSQL database of this program's schema, as it is at one moment, into a durable SQLite file."""
    source = create_engine(driver_url(url), isolation_level="REPEATABLE READ")
    try:
        with source.connect() as reading, _file(target) as engine, engine.begin() as writing:
            reading.execute(text("SET TRANSACTION READ ONLY"))
            metadata.create_all(writing)
            revision_table.create(writing)
            writing.execute(insert(revision_table), {"version_num": find_revision(reading)})
            _copy_tables(reading, writing)
    finally:
        source.dispose()
    _finish(target)


def load_postgres(snapshot: Path, url: str) -> None:
    """Fill a migrated PostgreSQL database from a snapshot of the same schema, all or nothing.

    Ids go on after the highest. Where the same snapshot was loaded before, nothing is done.

    Raises:
        NotEmpty: it has other rows.
    """
    target = create_engine(driver_url(url))
    try:
        with _file(snapshot) as engine, engine.connect() as reading, target.begin() as writing:
            if _rows_of(writing) == _rows_of(reading):
                return
            if any(_rows_of(writing).values()):
                raise NotEmpty
            _copy_tables(reading, writing)
            for table in metadata.sorted_tables:
                if (sequence := writing.scalar(_sequence_of(table.name))) is not None:
                    highest = select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery()
                    writing.execute(select(func.setval(sequence, highest + 1, False)))
    finally:
        target.dispose()


def list_objects(snapshot: Path) -> list[ObjectRow]:
    """Every object that a snapshot counts on, by row id."""
    columns = [blob.c[name] for name in ObjectRow.__dataclass_fields__]
    with _file(snapshot) as engine, engine.connect() as connection:
        return [ObjectRow(*row) for row in connection.execute(select(*columns).order_by(blob.c.id))]


def store_id_of(snapshot: Path) -> str | None:
    """The id of the directory of blobs that a snapshot counts on."""
    with _file(snapshot) as engine, engine.connect() as connection:
        return connection.scalar(select(file_store.c.directory_id))


def check_of(snapshot: Path) -> bytes:
    """The check of the master key that a snapshot is sealed with; empty when there is none."""
    with _file(snapshot) as engine, engine.connect() as connection:
        return find_check(connection) or b""


def make_single(snapshot: Path) -> None:
    """Have the file hold everything, without a log beside it; durable on return. Nobody has it open."""
    with closing(sqlite3.connect(snapshot)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    fsync_path(snapshot)


@contextmanager
def _file(path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{path}")
    try:
        yield engine
    finally:
        engine.dispose()


def _copy_tables(reading: Connection, writing: Connection) -> None:
    for table in metadata.sorted_tables:
        rows = reading.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
        for batch in rows.mappings().partitions():
            writing.execute(insert(table), [dict(row) for row in batch])


def _rows_of(connection: Connection) -> dict[str, int]:
    count = select(func.count())
    return {table.name: connection.scalar(count.select_from(table)) or 0 for table in metadata.sorted_tables}


def _sequence_of(table: str) -> TextClause:
    """Asks for the sequence behind a table's id; there is none where ids are not counted."""
    return text(
        "SELECT pg_get_serial_sequence(:name, attname) FROM pg_attribute"
        " WHERE attrelid = CAST(:name AS regclass) AND attname = 'id'"
    ).bindparams(name=table)


def _finish(snapshot: Path) -> None:
    """Leave out what belongs to the moment; one file, on the disk, for nobody else to read."""
    snapshot.chmod(0o600)
    with closing(sqlite3.connect(snapshot)) as connection:
        for table in _OF_THE_MOMENT:
            connection.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of ours
        connection.commit()
    make_single(snapshot)
