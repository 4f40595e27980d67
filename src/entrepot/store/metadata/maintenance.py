"""Maintenance: while its row is there, clients may not change anything.

Looked at within every transaction of a client's change, so it holds from the next one on every worker; reads never ask.
On PostgreSQL a transaction that began before may still commit.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from entrepot.domain.error import InMaintenance
from entrepot.store.metadata.base import Database, Query, T, inserts
from entrepot.store.metadata.schema import maintenance
from entrepot.store.metadata.statement import Statement

_ONLY = 1
_BEGIN = inserts(
    maintenance,
    lambda statement: statement.on_conflict_do_update(
        index_elements=["id"], set_={"reason": statement.excluded.reason}
    ),
)
_FIND = Statement(select(maintenance.c.reason, maintenance.c.begun_at))  # asked in every change


@dataclass(frozen=True, slots=True)
class MaintenanceRow:
    """Why clients may not write, and since when (microseconds UTC)."""

    reason: str
    begun_at: int


class ClientDatabase:
    """A database as clients change it: not at all during maintenance. Reads are untouched.

    `own` is the same database for what the server does by itself.
    """

    def __init__(self, database: Database) -> None:
        self.own = database
        self.dialect = database.dialect
        self.looks_up_inline = database.looks_up_inline
        self.lookup, self.read, self.close = database.lookup, database.read, database.close

    async def write(self, change: Query[T], *, is_durable: bool = True, is_short: bool = False) -> T:
        """As any database.

        Raises:
            InMaintenance: and nothing is changed.
        """

        def guarded(connection: Connection) -> T:
            check(connection)
            return change(connection)

        return await self.own.write(guarded, is_durable=is_durable, is_short=is_short)


def own(database: Database) -> Database:
    """The database for what the server does by itself, whoever caused it: promises, times of pulls."""
    return database.own if isinstance(database, ClientDatabase) else database


def find(connection: Connection) -> MaintenanceRow | None:
    """The row, if there is maintenance."""
    row = _FIND.row(connection, {})
    return None if row is None else MaintenanceRow(*row)


def check(connection: Connection) -> None:
    """Refuse a change of a client.

    Raises:
        InMaintenance
    """
    if row := find(connection):
        raise InMaintenance(row.reason)


def begin(connection: Connection, reason: str, now: int) -> None:
    """Refuse changes of clients from now on; a second time only changes the reason."""
    connection.execute(_BEGIN[connection.dialect.name], {"id": _ONLY, "reason": reason, "begun_at": now})


def end(connection: Connection) -> bool:
    """Take changes again; whether they were refused."""
    return connection.scalar(delete(maintenance).returning(maintenance.c.id)) is not None


def is_on(connection: Connection) -> bool:
    """Whether changes of clients are refused."""
    return connection.scalar(select(maintenance.c.id)) is not None
