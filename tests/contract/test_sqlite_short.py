"""Short changes on SQLite: on the event loop while the lock is free, else in the thread; the same promises."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, IntegrityError

from entrepot.store.metadata import sqlite_log, sqlite_writer
from entrepot.store.metadata.sqlite import SqliteDatabase
from entrepot.store.metadata.sqlite_file import lock_for_writing, raw_connection
from tests.contract.test_database import add, ids
from tests.support.database import SqliteAddress
from tests.support.poll import wait_until


def noting(places: list[int], account_id: str) -> Callable[[Connection], str]:
    """A change that notes its thread."""

    def change(connection: Connection) -> str:
        places.append(threading.get_ident())
        return add(account_id)(connection)

    return change


async def rounds() -> None:
    """Let the event loop come round until what was asked has been tried on it."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_one_round_of_the_loop_meets_is_one_transaction_on_it(sqlite_database: SqliteDatabase) -> None:
    said: list[str] = []
    places: list[int] = []
    raw_connection(sqlite_database._writer._short._connection).set_trace_callback(said.append)
    changes = [sqlite_database.write(noting(places, f"a{number}"), is_short=True) for number in range(10)]
    assert await asyncio.gather(*changes) == [f"a{number}" for number in range(10)]
    assert set(places) == {threading.get_ident()}
    assert (said.count("BEGIN IMMEDIATE"), said.count("COMMIT")) == (1, 1)


async def test_a_failure_undoes_only_its_own_change(sqlite_database: SqliteDatabase) -> None:
    changes = [sqlite_database.write(add(name), is_short=True) for name in ("a", "a", "b")]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert [outcome if isinstance(outcome, str) else type(outcome) for outcome in outcomes] == [
        "a",
        IntegrityError,
        "b",
    ]
    with pytest.raises(IntegrityError):
        await sqlite_database.write(add("b"), is_short=True)
    assert await sqlite_database.read(ids) == {"a", "b"}


async def test_while_another_process_writes_the_loop_comes_back(
    sqlite_database: SqliteDatabase, sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what was asked for meanwhile, as one transaction."""
    monkeypatch.setattr(sqlite_writer, "PATIENCE_SECONDS", 60)
    places: list[int] = []
    said: list[str] = []
    raw_connection(sqlite_database._writer._short._connection).set_trace_callback(said.append)
    with lock_for_writing(sqlite_address.path):
        first = asyncio.ensure_future(sqlite_database.write(noting(places, "a"), is_short=True))
        await rounds()
        second = asyncio.ensure_future(sqlite_database.write(noting(places, "b"), is_short=True))
        assert await sqlite_database.lookup(ids) == set()  # the loop goes on
        await rounds()
        assert not first.done()
        assert not second.done()
    assert (await first, await second) == ("a", "b")
    assert set(places) == {threading.get_ident()}
    assert (said.count("BEGIN IMMEDIATE"), said.count("COMMIT")) == (1, 1)


async def test_closing_does_not_leave_what_waits_for_the_lock(
    sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "PATIENCE_SECONDS", 60)
    database = sqlite_address.open()
    with lock_for_writing(sqlite_address.path):
        pending = asyncio.ensure_future(database.write(add("a"), is_short=True))
        await rounds()
        closing = asyncio.ensure_future(database.close())
        await rounds()
    await closing
    assert await pending == "a"


async def test_while_another_process_writes_for_long_the_thread_waits(
    sqlite_database: SqliteDatabase, sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "PATIENCE_SECONDS", 0)
    places: list[int] = []
    with lock_for_writing(sqlite_address.path):
        change = asyncio.ensure_future(sqlite_database.write(noting(places, "a"), is_short=True))
        assert await sqlite_database.lookup(ids) == set()  # the loop goes on
        await rounds()
        assert not change.done()
    assert await change == "a"
    assert places != [threading.get_ident()]


async def test_a_writer_that_ignores_the_lock_is_waited_for_in_the_thread(
    sqlite_database: SqliteDatabase, sqlite_address: SqliteAddress
) -> None:
    places: list[int] = []
    other = sqlite_address.engine().connect()
    other.exec_driver_sql("BEGIN IMMEDIATE")
    change = asyncio.ensure_future(sqlite_database.write(noting(places, "a"), is_short=True))
    await rounds()
    assert not change.done()
    other.exec_driver_sql("ROLLBACK")
    other.close()
    assert await change == "a"
    assert places != [threading.get_ident()]


async def test_another_loop_has_the_thread_write(sqlite_database: SqliteDatabase) -> None:
    await sqlite_database.write(add("a"), is_short=True)
    places: list[int] = []

    async def elsewhere() -> str:
        return await sqlite_database.write(noting(places, "b"), is_short=True)

    other_thread: list[int] = []

    def run() -> str:
        other_thread.append(threading.get_ident())
        return asyncio.run(elsewhere())

    assert await asyncio.to_thread(run) == "b"
    assert not {*places} & {threading.get_ident(), *other_thread}


async def test_closing_finishes_what_the_round_has(sqlite_address: SqliteAddress) -> None:
    database = sqlite_address.open()
    pending = asyncio.ensure_future(database.write(add("a"), is_short=True))
    await asyncio.sleep(0)  # it has asked
    await database.close()
    assert await pending == "a"


async def test_the_log_is_copied_and_begins_anew(
    sqlite_database: SqliteDatabase, sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_ROWS", 50)
    log = sqlite_address.path.with_name(f"{sqlite_address.path.name}-wal")

    def header() -> bytes:
        return log.read_bytes()[:32]

    await sqlite_database.write(add("first"), is_short=True)
    before, number = header(), 0
    while header() == before:
        number += 1
        assert number < 5_000, f"the log only grew: {log.stat().st_size} bytes"
        await sqlite_database.write(add(f"a{number}"), is_short=True, is_durable=False)
    assert len(await sqlite_database.read(ids)) == number + 1


async def test_waits_are_reported(sqlite_database: SqliteDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    sqlite_database._writer._waits._log_seconds = 0
    await sqlite_database.write(add("a"), is_short=True)
    wait_until(lambda: "commit.waits" in capsys.readouterr().out, what="the line")


async def test_a_writer_survives_a_savepoint_that_cannot_be_ended(sqlite_database: SqliteDatabase) -> None:
    """Whatever SQLite refuses there, nobody else's change is lost and no transaction stays open."""

    def spoil(connection: Connection) -> None:
        connection.exec_driver_sql("RELEASE job")  # so that the writer's own fails

    for is_short in (True, False):
        name = f"short-{is_short}"
        changes = (add(f"{name}-a"), spoil, add(f"{name}-b"))
        done = await asyncio.gather(
            *(sqlite_database.write(change, is_short=is_short) for change in changes), return_exceptions=True
        )
        assert done[0::2] == [f"{name}-a", f"{name}-b"]
        assert isinstance(done[1], DatabaseError), "alone, there is no savepoint"
        assert await sqlite_database.write(add(f"{name}-c"), is_short=is_short) == f"{name}-c"


@pytest.mark.parametrize("is_short", [True, False])
async def test_a_writer_survives_a_lock_that_is_refused(
    sqlite_database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, is_short: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        with pytest.raises(OSError, match="locks"):
            await sqlite_database.write(add("a"), is_short=is_short)
    assert await sqlite_database.write(add("a"), is_short=is_short) == "a"
