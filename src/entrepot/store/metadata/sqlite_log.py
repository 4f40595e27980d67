"""The write-ahead log on the disk: one thread that waits for it, once for all whose commits wait meanwhile.

A commit writes its pages to the log, from where every process reads them at once; they survive the death of all
processes, but not a loss of power. Whoever promises more waits here until the log is on the disk: what SQLite does
with `synchronous=FULL`, but after the lock on writing is given back, so that others write while the disk works.
"""

from __future__ import annotations

import errno
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from entrepot.store.durability import fsync_path
from entrepot.store.metadata.sqlite_file import WAL_KEPT_BYTES, lock_for_writing, raw_connection, sqlite_engine

log = structlog.get_logger(__name__)

CHECKPOINT_ROWS = 2_000
"""The log is copied into the database when this process has changed so many rows: some 16 MiB of log. SQLite itself
would do it in the commit that reaches 4 MiB, and keep all others waiting; and would copy pages that every push changes
four times as often."""

CHECKPOINT_BYTES = WAL_KEPT_BYTES
"""Also when its file has grown by this: a manifest has up to 4 MiB in one row, and other processes write too."""

Done = Callable[[OSError | None], None]
"""Called in the thread when the wait is over; with the error if the disk would not."""


class LogSync:
    """The log of one SQLite file, as one process waits for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log: int | None = None
        self._is_doubtful = False
        self._rows = 0
        self._size_bytes = 0
        self._is_checkpoint_due = False
        self._connection: Connection | None = None
        self._waiting: queue.SimpleQueue[Done | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-sync", daemon=True)
        self._thread.start()

    def wait(self, done: Done) -> None:
        """Have `done` called once everything that was committed before this call survives a loss of power."""
        self._waiting.put(done)

    def grow(self, rows: int) -> None:
        """So many rows were changed by a commit of this process."""
        self._rows += rows
        if self._rows >= CHECKPOINT_ROWS:
            self._rows = 0
            self._is_checkpoint_due = True
            self._waiting.put(_nothing)

    def close(self) -> None:
        """Finish what waits; blocks."""
        self._waiting.put(None)
        self._thread.join()
        if self._connection is not None:
            self._connection.close()
        if self._log is not None:
            os.close(self._log)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            calls = [self._waiting.get()]
            while not self._waiting.empty():
                calls.append(self._waiting.get())
            is_last = None in calls
            failed = self._sync() if calls != [None] else None
            for done in calls:
                if done is not None:
                    done(failed)
            if self._is_checkpoint_due and not is_last:
                self._is_checkpoint_due = False
                self._checkpoint()

    def _sync(self) -> OSError | None:
        """Wait for the disk; the error if it would not, and then nothing counts on the log until it was copied."""
        try:
            if self._is_doubtful:
                _empty(self._path)
                self._is_doubtful = False
            file = self._open()
            os.fdatasync(file)
            self._watch(os.fstat(file).st_size)
        except OSError as error:
            log.exception("sqlite.sync_failed")
            self._is_doubtful = True
            with suppress(OSError):
                _empty(self._path)  # at once: a process that opens the log from now on hears nothing of this error
            return error
        return None

    def _watch(self, size_bytes: int) -> None:
        """Have a log that has grown much copied. Its file is used again from the start, and cut where it is long."""
        self._size_bytes = min(self._size_bytes, size_bytes)
        if size_bytes - self._size_bytes >= CHECKPOINT_BYTES:
            self._size_bytes, self._is_checkpoint_due = size_bytes, True

    def _checkpoint(self) -> None:
        """Copy most of the log beside those who write; then, while they wait, the rest, so that it can begin anew."""
        try:
            if self._connection is None:
                self._connection = sqlite_engine(self._path).connect()
            raw = raw_connection(self._connection)
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            with lock_for_writing(self._path):
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except (sqlite3.Error, DatabaseError, OSError):
            log.exception("sqlite.checkpoint_failed")  # the log grows until it can be copied; nothing is lost

    def _open(self) -> int:
        """The log's file: SQLite makes it with its first transaction, and keeps it while anybody has it open."""
        if self._log is not None and os.fstat(self._log).st_nlink:
            return self._log
        if self._log is not None:
            os.close(self._log)
            self._log = None
        self._log = os.open(self._path.with_name(self._path.name + "-wal"), os.O_RDWR | os.O_CLOEXEC)
        fsync_path(self._path.parent)
        return self._log


def _nothing(_: OSError | None) -> None:
    """Nobody waits: the thread is only to look."""


def _empty(path: Path) -> None:
    """Copy the log into the database and sync that.

    What the kernel could not write it may have dropped: a later sync of the log would succeed all the same, while
    every commit behind the hole is lost with the power.

    Raises:
        OSError: it cannot be done now.
    """
    try:
        with lock_for_writing(path), sqlite_engine(path).connect() as connection:
            busy, _, _ = raw_connection(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except (sqlite3.Error, DatabaseError) as error:
        raise OSError(errno.EIO, "the write-ahead log cannot be copied") from error
    if busy:
        raise OSError(errno.EBUSY, "the write-ahead log is in use")
