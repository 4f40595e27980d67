"""What the SQLite engine promises beside the contract: batches, full disks, locks, and where a file may lie."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from entrepot.domain.error import StorageFull, StorageReadOnly, Throttled
from entrepot.store.metadata import sqlite_file
from entrepot.store.metadata.schema import account
from entrepot.store.metadata.sqlite import SqliteDatabase
from entrepot.store.metadata.sqlite_file import FileSystemRefused, lock_for_writing, raw_connection
from entrepot.store.metadata.sqlite_writer import SqliteWriter
from tests.contract.test_database import add, ids
from tests.support.database import SqliteAddress

DEADLINE = 20


class Batch:
    """Holds the writer in a first change, so that all that is asked meanwhile becomes one batch."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._go_on = threading.Event()
        self._asked: list[asyncio.Future[str]] = []

    async def __aenter__(self) -> Self:
        entered = threading.Event()

        def hold(connection: Connection) -> str:
            entered.set()
            assert self._go_on.wait(DEADLINE)
            return "held"

        self._asked.append(asyncio.ensure_future(self._database.write(hold)))
        await asyncio.to_thread(entered.wait, DEADLINE)
        return self

    def ask(self, change: Callable[[Connection], str]) -> asyncio.Future[str]:
        asked = asyncio.ensure_future(self._database.write(change))
        self._asked.append(asked)
        return asked

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)  # they have asked
        self._go_on.set()
        await asyncio.wait(self._asked)


async def test_waiting_changes_share_one_commit(sqlite_database: SqliteDatabase) -> None:
    said: list[str] = []
    async with Batch(sqlite_database) as batch:
        raw_connection(sqlite_database._writer._long._connection).set_trace_callback(said.append)
        asked = [batch.ask(add(f"a{number}")) for number in range(10)]
    assert [one.result() for one in asked] == [f"a{number}" for number in range(10)]
    assert said.count("BEGIN IMMEDIATE") == 1
    assert said.count("COMMIT") == 2  # the held change's and theirs


async def test_a_broken_rule_undoes_only_its_own_change(sqlite_database: SqliteDatabase) -> None:
    async with Batch(sqlite_database) as batch:
        first, twice, last = batch.ask(add("a")), batch.ask(add("a")), batch.ask(add("b"))
    assert (first.result(), last.result()) == ("a", "b")
    assert isinstance(twice.exception(), IntegrityError)
    assert await sqlite_database.read(ids) == {"a", "b"}


async def test_a_transaction_that_sqlite_gives_up_runs_again_in_pieces(sqlite_database: SqliteDatabase) -> None:
    def give_up(connection: Connection) -> str:
        add("lost")(connection)
        connection.exec_driver_sql("INSERT OR ROLLBACK INTO account VALUES ('lost', 'n', 1, 1)")
        return "unreachable"

    async with Batch(sqlite_database) as batch:
        before, lost, after = batch.ask(add("a")), batch.ask(give_up), batch.ask(add("b"))
    assert (before.result(), after.result()) == ("a", "b")
    assert isinstance(lost.exception(), IntegrityError)
    assert await sqlite_database.read(ids) == {"a", "b"}


async def test_a_cancelled_change_that_had_not_begun_is_not_made(sqlite_database: SqliteDatabase) -> None:
    async with Batch(sqlite_database) as batch:
        cancelled, kept = batch.ask(add("a")), batch.ask(add("b"))
        await asyncio.sleep(0)
        cancelled.cancel()
    assert kept.result() == "b"
    assert await sqlite_database.read(ids) == {"b"}


def big(account_id: str, size: int) -> Callable[[Connection], str]:
    """A change that needs `size` bytes of disk."""

    def change(connection: Connection) -> str:
        row = {"id": account_id, "name": "x" * size, "access_epoch": 1, "created_at": 1}
        connection.execute(insert(account), row)
        return account_id

    return change


def limit_pages(spare: int) -> Callable[[Connection], int]:
    """A change that lets the file grow by `spare` pages only; holds for the writer's connection."""

    def change(connection: Connection) -> int:
        pages: int = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        limit: int = connection.exec_driver_sql(f"PRAGMA max_page_count={pages + spare}").scalar_one()
        return limit

    return change


async def test_a_full_disk_refuses_what_is_large_and_can_be_emptied(sqlite_database: SqliteDatabase) -> None:
    await sqlite_database.write(big("old", 40_000))
    await sqlite_database.write(limit_pages(2))
    async with Batch(sqlite_database) as batch:
        small, large, delete = batch.ask(add("a")), batch.ask(big("large", 100_000)), batch.ask(_delete_old)
    assert small.result() == "a"
    assert isinstance(large.exception(), StorageFull)
    assert delete.result() == "deleted"
    assert await sqlite_database.read(ids) == {"a"}
    assert await sqlite_database.write(big("fits", 30_000)) == "fits"


def _delete_old(connection: Connection) -> str:
    connection.execute(account.delete().where(account.c.id == "old"))
    return "deleted"


@pytest.fixture
async def impatient_writer(sqlite_address: SqliteAddress) -> AsyncIterator[SqliteWriter]:
    writer = SqliteWriter(sqlite_address.path, wait_seconds=0.05)
    yield writer
    await asyncio.to_thread(writer.close)


async def test_a_writer_that_hangs_elsewhere_throttles_and_nothing_is_made_later(
    impatient_writer: SqliteWriter, sqlite_address: SqliteAddress
) -> None:
    with lock_for_writing(sqlite_address.path):
        for _ in range(2):
            with pytest.raises(Throttled):
                await impatient_writer.submit(add("a"))
    while True:  # the lock is free: the next change goes through
        try:
            assert await impatient_writer.submit(add("b")) == "b"
            break
        except Throttled:
            continue
        except IntegrityError:  # it was made when it had been given up: the machine is busy
            break
    assert await impatient_writer.submit(ids) == {"b"}


async def test_a_writer_that_ignores_the_lock_file_throttles(
    sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "entrepot.store.metadata.sqlite_writer.sqlite_engine", lambda path, _=0: sqlite_file.sqlite_engine(path, 0.05)
    )
    database = sqlite_address.open()
    with _sqlite_shell(sqlite_address.path) as other:
        other.execute("BEGIN IMMEDIATE")
        outcomes = await asyncio.gather(*(database.write(add(name)) for name in "abc"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Throttled] * 3
        assert await database.lookup(ids) == set()  # readers go on
        other.execute("ROLLBACK")
    assert await database.write(add("a")) == "a"
    await database.close()


@pytest.mark.parametrize("is_wrapped", [True, False], ids=["sqlalchemy", "driver"])
async def test_a_lookup_that_meets_a_lock_waits_in_a_thread(sqlite_database: SqliteDatabase, is_wrapped: bool) -> None:
    places: list[int] = []

    def meet_a_lock_at_first(connection: Connection) -> set[str]:
        places.append(threading.get_ident())
        if len(places) == 1:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise OperationalError("SELECT", {}, busy) if is_wrapped else busy
        return ids(connection)

    assert await sqlite_database.lookup(meet_a_lock_at_first) == set()
    assert len(set(places)) == 2


async def test_reads_cannot_write(sqlite_database: SqliteDatabase) -> None:
    for run in (sqlite_database.lookup, sqlite_database.read):
        with pytest.raises(StorageReadOnly):
            await run(add("a"))
    assert await sqlite_database.read(ids) == set()


async def test_reads_see_one_snapshot(sqlite_database: SqliteDatabase) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def read_twice(connection: Connection) -> tuple[set[str], set[str]]:
        first = ids(connection)
        entered.set()
        assert go_on.wait(DEADLINE)
        return first, ids(connection)

    reading = asyncio.ensure_future(sqlite_database.read(read_twice))
    await asyncio.to_thread(entered.wait, DEADLINE)
    await sqlite_database.write(add("a"))
    assert await sqlite_database.lookup(ids) == {"a"}
    go_on.set()
    assert await reading == (set(), set())


async def test_foreign_keys_hold(sqlite_database: SqliteDatabase) -> None:
    statement = text("INSERT INTO registry (account_id, region, settings, created_at) VALUES ('no', 'r', '{}', 1)")
    with pytest.raises(IntegrityError):
        await sqlite_database.write(lambda connection: connection.execute(statement))


def test_every_connection_has_the_settings_that_durability_needs(sqlite_address: SqliteAddress) -> None:
    with sqlite_file.sqlite_engine(sqlite_address.path).connect() as connection:
        for name, expected in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == expected


def test_a_file_that_cannot_have_a_log_in_shared_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileSystemRefused) as refused:  # as on a file system without locks or mappings
        sqlite_file._configure(sqlite3.connect(":memory:"), tmp_path, False)
    assert "journal_mode" in refused.value.detail


@pytest.mark.parametrize("magic", [0x6969, 0xFF534D42, 0xFE534D42])
def test_network_file_systems_are_refused(
    sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch, magic: int
) -> None:
    monkeypatch.setattr(sqlite_file, "_file_system_magic", lambda _: magic)
    with pytest.raises(FileSystemRefused):
        SqliteDatabase(sqlite_address.path)


def test_the_magic_number_is_the_kernels() -> None:
    assert sqlite_file._file_system_magic(Path("/proc")) == 0x9FA0
    with pytest.raises(FileNotFoundError):
        sqlite_file._file_system_magic(Path("/proc/missing"))


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises((OSError, DatabaseError)):
        SqliteDatabase(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_writers_queue_on_a_lock_file(sqlite_address: SqliteAddress) -> None:
    with lock_for_writing(sqlite_address.path):
        other = sqlite_file.lock_file(sqlite_address.path)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)


@contextmanager
def _sqlite_shell(path: Path) -> Iterator[sqlite3.Connection]:
    """A program that knows nothing of us."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    yield connection
    connection.close()
