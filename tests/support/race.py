"""Two changes on two real connections, the first held open until the second waits for it or has ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from entrepot.domain.error import RegistryError
from entrepot.store.metadata.base import Database, Query
from tests.support.database import DatabaseAddress
from tests.support.poll import wait_until

Change = Callable[[Connection], Any]
DEADLINE = 20


@dataclass
class Transaction:
    """A change in a thread of its own, on a connection of its own."""

    change: Change
    result: Any = None
    error: RegistryError | None = None
    is_started: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(default_factory=threading.Thread)

    def join(self) -> None:
        """Wait for its end."""
        self.thread.join(timeout=DEADLINE)
        assert not self.thread.is_alive()

    def run(self, engine: Engine) -> None:
        self.is_started.set()
        try:
            with writing(engine) as connection:
                self.result = self.change(connection)
        except RegistryError as error:
            self.error = error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction as the engines open it for changes."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
        else:
            with connection.begin():
                yield connection


class Abandoned(Exception):
    """The first transaction dies before its commit."""


class Race:
    """Runs two changes so that the second starts while the first is not committed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, first: Change, second: Change, *, is_first_committed: bool = True) -> tuple[Any, Transaction]:
        """The result of `first`, and what became of `second`."""
        late, result = Transaction(second), None
        with suppress(Abandoned), writing(self.engine) as connection:
            result = first(connection)
            self.start(late)
            if not is_first_committed:
                raise Abandoned
        late.join()
        return result, late

    def start(self, late: Transaction) -> None:
        """Start a transaction and wait until it waits for another, or has ended."""
        late.thread = threading.Thread(target=late.run, args=(self.engine,))
        late.thread.start()
        wait_until(lambda: self._is_waiting(late) or not late.thread.is_alive(), what="the second transaction")

    def _is_waiting(self, late: Transaction) -> bool:
        return late.is_started.is_set() if self.engine.dialect.name == "sqlite" else self.is_anybody_waiting()

    def is_anybody_waiting(self) -> bool:
        """Whether a transaction of this PostgreSQL database waits for another's lock."""
        with self.engine.connect() as connection:
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            return bool(connection.scalar(text(f"{blocked} AND cardinality(pg_blocking_pids(pid)) > 0")))


@asynccontextmanager
async def held_open(database: Database, change: Query[Any]) -> AsyncIterator[None]:
    """A transaction that has made `change` and commits at the end."""
    made, go_on = threading.Event(), threading.Event()

    def change_and_wait(connection: Connection) -> None:
        change(connection)
        made.set()
        assert go_on.wait(DEADLINE)

    writing = asyncio.ensure_future(database.write(change_and_wait))
    assert await asyncio.to_thread(made.wait, DEADLINE)
    try:
        yield
    finally:
        go_on.set()
        await writing


async def asked(task: asyncio.Future[Any]) -> None:
    """Give a request the time to meet the lock: it must not be answered meanwhile."""
    done, _ = await asyncio.wait([task], timeout=0.2)
    assert not done


@pytest.fixture
def race(database_address: DatabaseAddress) -> Iterator[Race]:
    engine = database_address.engine()
    if engine.dialect.name == "sqlite":
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys=ON"))
    yield Race(engine)
    engine.dispose()
