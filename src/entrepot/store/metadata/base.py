"""The interface of a metadata database: short synchronous functions, run in the right place.

A query is a plain function of a connection. The engine decides where it runs: reads by key on the event loop
where that is cheap, lists in a pool of readers, changes in a transaction. No transaction spans an await.
Both engines pass `tests/contract/test_database.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar, cast

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
Query = Callable[[Connection], T]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class StrayStopIteration(RuntimeError):
    """A query raised StopIteration, which no future can carry: its awaiter would wait for ever."""


class Database(Protocol):
    """Facts on one engine. Parallel calls from one event loop are fine.

    Every method raises Throttled when the engine stays busy for too long, and StorageFull when it cannot
    write for lack of space.
    """

    dialect: str
    """`sqlite` or `postgresql`."""
    looks_up_inline: bool
    """Whether `lookup` usually answers without a wait, on the event loop."""

    async def lookup(self, query: Query[T]) -> T:
        """Run one statement that reads at most ten rows by key."""

    async def read(self, query: Query[T]) -> T:
        """Run any reads, in one snapshot on SQLite."""

    async def write(self, change: Query[T], *, is_durable: bool = True, is_short: bool = False) -> T:
        """Run a change in a transaction and return after the commit.

        It survives the death of every process of ours; a loss of power too, unless `is_durable` is False and the
        engine saves something by that. A change that `is_short`, some ten statements by key, may run on the event
        loop.

        An exception of `change` rolls back only its own work. `change` may run again after a conflict with
        another transaction, so it has no effects but through its connection.
        """

    async def close(self) -> None:
        """Finish the writes under way and let go of the connections."""


def to_micros(moment: datetime) -> int:
    """Aware time to microseconds UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Microseconds UTC to aware time."""
    return _EPOCH + timedelta(microseconds=micros)


def from_optional_micros(micros: int | None) -> datetime | None:
    """`from_micros`, or None for None."""
    return None if micros is None else from_micros(micros)


def insert(connection: Connection, table: Table) -> sqlite.Insert:
    """An INSERT that takes ON CONFLICT and RETURNING, in the words of the connection's engine."""
    if connection.dialect.name == "postgresql":
        return cast("sqlite.Insert", postgresql.insert(table))  # the same methods under another name
    return sqlite.insert(table)


def inserts(table: Table, finish: Callable[[sqlite.Insert], T]) -> dict[str, T]:
    """The same statement built once for each engine: `inserts(...)[connection.dialect.name]`."""
    made = {"sqlite": sqlite.insert(table), "postgresql": cast("sqlite.Insert", postgresql.insert(table))}
    return {dialect: finish(statement) for dialect, statement in made.items()}
