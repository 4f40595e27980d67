"""Doomed objects: bytes that no row counts on any more, until the sweeper has removed them from their store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from entrepot.store.blob.base import Staging
from entrepot.store.metadata.schema import doomed_object
from entrepot.store.metadata.statement import Statement, parameters_of

STAGING_SUFFIX = ".staging"
"""Behind a storage key: only what was staged under it is doomed, the object of that key lives."""

_DOOM = Statement(insert(doomed_object).values(parameters_of(doomed_object)).on_conflict_do_nothing())


@dataclass(frozen=True, slots=True)
class Doomed:
    """Bytes to remove."""

    name: str
    """Of its row."""
    staging: Staging
    not_before: int
    """When its bytes may go, in microseconds UTC."""

    @property
    def object_stays(self) -> bool:
        """Whether only what was staged goes."""
        return self.name != self.staging.storage_key


def doom(connection: Connection, staging: Staging, store: str, not_before: int, *, object_stays: bool = False) -> None:
    """Have an object and what was staged for it removed after a time (microseconds); a second sentence changes nothing.

    With `object_stays` only what was staged goes.
    """
    name = staging.storage_key + (STAGING_SUFFIX if object_stays else "")
    row = {
        "storage_key": name,
        "store": store,
        "not_before": not_before,
        "appends": staging.appends,
        "has_parts": staging.has_parts,
    }
    _DOOM.change(connection, row)


def list_due(connection: Connection, store: str, now: int, limit: int, after: Doomed | None = None) -> list[Doomed]:
    """Objects whose time has come, longest due first; only those behind `after`, when there is one."""
    columns = doomed_object.c
    place = tuple_(columns.not_before, columns.storage_key)
    statement = select(columns.storage_key, columns.appends, columns.has_parts, columns.not_before)
    statement = statement.where(columns.store == store, columns.not_before <= now)
    if after is not None:
        statement = statement.where(place > tuple_(after.not_before, after.name))
    due = connection.execute(statement.order_by(columns.not_before, columns.storage_key).limit(limit))
    return [
        Doomed(name, Staging(name.removesuffix(STAGING_SUFFIX), appends, parts), not_before)
        for name, appends, parts, not_before in due
    ]


def forget(connection: Connection, names: Sequence[str]) -> None:
    """Drop the rows of objects whose bytes are gone."""
    connection.execute(delete(doomed_object).where(doomed_object.c.storage_key.in_(names)))
