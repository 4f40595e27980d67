"""The file store: which directory of local files the database counts on. There is one, ever."""

from __future__ import annotations

from sqlalchemy import Connection, select

from entrepot.store.metadata.base import inserts
from entrepot.store.metadata.schema import file_store

_ONLY = 1
_CLAIM = inserts(file_store, lambda statement: statement.on_conflict_do_nothing())


def claim(connection: Connection, directory_id: str, now: int) -> str:
    """Make a directory the file store, if none is yet; the id of the one that is."""
    row = {"id": _ONLY, "directory_id": directory_id, "created_at": now}
    connection.execute(_CLAIM[connection.dialect.name], row)
    return str(connection.scalar(select(file_store.c.directory_id)))


def find(connection: Connection) -> str | None:
    """The id of the directory that the database counts on; None while there is none."""
    return connection.scalar(select(file_store.c.directory_id))
