"""What survives a loss of power on SQLite: who waits for the disk, once for many, and what a disk that fails does."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.domain.limit import MIB
from entrepot.store.metadata import sqlite_log
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.contract.test_database import add, ids
from tests.support.database import SqliteAddress

DEADLINE = 20


class Disk:
    """Syncs of the log: counted, held up, failing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.has_begun = threading.Event()
        self.fails = False
        self._fdatasync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, fd: int) -> None:
        self.has_begun.set()
        assert self.may_go_on.wait(DEADLINE)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        self._fdatasync(fd)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(monkeypatch)
    yield disk
    disk.may_go_on.set()


def without_log(address: SqliteAddress) -> set[str]:
    """The accounts that the database itself holds."""
    with closing(sqlite3.connect(f"{address.path.as_uri()}?immutable=1", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM account")}


async def test_an_answer_waits_until_the_log_is_on_the_disk(
    sqlite_database: SqliteDatabase, sqlite_address: SqliteAddress, disk: Disk
) -> None:
    disk.may_go_on.clear()
    durable = asyncio.ensure_future(sqlite_database.write(add("a")))
    assert await asyncio.to_thread(disk.has_begun.wait, DEADLINE)
    assert await sqlite_database.write(add("b"), is_durable=False) == "b"  # others write meanwhile
    assert await sqlite_database.lookup(ids) == {"a", "b"}
    assert not durable.done()
    disk.may_go_on.set()
    assert await durable == "a"
    assert disk.synced == [f"{sqlite_address.path}-wal"]


async def test_one_sync_serves_all_who_wait(sqlite_database: SqliteDatabase, disk: Disk) -> None:
    disk.may_go_on.clear()
    first = asyncio.ensure_future(sqlite_database.write(add("first")))
    assert await asyncio.to_thread(disk.has_begun.wait, DEADLINE)
    others = [asyncio.ensure_future(sqlite_database.write(add(f"a{number}"))) for number in range(10)]
    await sqlite_database.write(add("last"), is_durable=False)  # so they are committed, and wait
    disk.may_go_on.set()
    await asyncio.gather(first, *others)
    assert len(disk.synced) == 2


async def test_a_failed_sync_fails_those_who_wait_and_nobody_counts_on_the_log_again(
    sqlite_database: SqliteDatabase, sqlite_address: SqliteAddress, disk: Disk
) -> None:
    disk.fails = True
    with pytest.raises(OSError, match="Input/output"):
        await sqlite_database.write(add("a"))
    assert without_log(sqlite_address) == {"a"}, "other processes go on counting on the log"
    assert await sqlite_database.write(add("b"), is_durable=False) == "b"
    disk.fails = False
    assert await sqlite_database.write(add("c")) == "c"
    assert without_log(sqlite_address) == {"a", "b", "c"}, "not copied before the log was counted on again"


async def test_a_log_that_cannot_be_copied_keeps_failing(
    sqlite_database: SqliteDatabase, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk.fails = True
    with pytest.raises(OSError, match="Input/output"):
        await sqlite_database.write(add("a"))
    disk.fails = False
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_log, "_empty", refuse)
        with pytest.raises(OSError, match="Input/output"):
            await sqlite_database.write(add("b"))
    assert await sqlite_database.write(add("c")) == "c"


async def test_large_rows_do_not_let_the_log_grow_without_bound(
    sqlite_database: SqliteDatabase, sqlite_address: SqliteAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few they are: a manifest may have 4 MiB."""
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_BYTES", MIB)
    written_bytes = 32 * MIB // 2
    for number in range(32):
        await sqlite_database.write(add(str(number), "x" * (MIB // 2)))
    log = sqlite_address.path.with_name(f"{sqlite_address.path.name}-wal")
    assert log.stat().st_size < written_bytes // 2, "what was copied did not make room"
