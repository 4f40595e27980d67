"""Doomed objects: bytes that no row counts on any more, until the sweeper has removed them from their store."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from entrepot.store.metadata.schema import doomed_object
from entrepot.store.metadata.statement import Statement, parameters_of

STAGING_SUFFIX = ".staging"
"""Behind a storage key: only what was staged under it is doomed, the object of that key lives."""

_DOOM = Statement(insert(doomed_object).values(parameters_of(doomed_object)).on_conflict_do_nothing())


def doom(connection: Connection, storage_key: str, store: str, not_before: int) -> None:
    """Have an object's bytes removed after a time (microseconds); a second sentence changes nothing."""
    row = {"storage_key": storage_key, "store": store, "not_before": not_before}
    _DOOM.change(connection, row)


def list_due(connection: Connection, store: str, now: int, limit: int) -> list[str]:
    """The names of objects whose time has come, longest due first."""
    columns = doomed_object.c
    statement = select(columns.storage_key).where(columns.store == store, columns.not_before <= now)
    return list(connection.execute(statement.order_by(columns.not_before).limit(limit)).scalars())


def forget(connection: Connection, storage_keys: Sequence[str]) -> None:
    """Drop the rows of objects whose bytes are gone."""
    connection.execute(delete(doomed_object).where(doomed_object.c.storage_key.in_(storage_keys)))
