"""A SQLite file: how it is opened, checked, and locked against other writers.

WAL with `synchronous=FULL`: a commit survives power loss. WAL needs memory shared between the processes of one
machine, so network file systems are refused.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine
from sqlalchemy.exc import DatabaseError

from entrepot.domain.error import StorageFull, StorageReadOnly, Throttled

BUSY_SECONDS = 10.0
CACHE_KIB = 16 * 1024
WAL_KEPT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a long reader let it grow."""

NETWORK_FILE_SYSTEMS = {
    0x6969: "NFS",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x517B: "SMB",
    0x5346414F: "AFS",
    0x73757245: "Coda",
    0x00C36400: "Ceph",
    0x0BD00BD0: "Lustre",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
    0x47504653: "GPFS",
}
"""Magic numbers of statfs(2) whose locks or mappings do not hold between machines."""


class FileSystemRefused(Exception):
    """SQLite cannot keep its promises on this file system; `detail` says why."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}; put the data directory on a local disk, or use PostgreSQL")
        self.path, self.detail = path, detail


def sqlite_engine(
    path: Path, busy_seconds: float = BUSY_SECONDS, *, pool_size: int = 0, is_read_only: bool = False
) -> Engine:
    """Connections to an existing file, in autocommit: BEGIN and COMMIT are said by hand.

    Raises, when it connects:
        FileSystemRefused: SQLite does not take a setting that durability needs.
    """

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=busy_seconds, check_same_thread=False
        )
        try:
            _configure(raw, path, is_read_only)
        except BaseException:
            raw.close()
            raise
        return raw

    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_size": pool_size} if pool_size else {"poolclass": NullPool}
    return create_engine(
        "sqlite://",
        creator=connect,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # what is in a statement does not belong in a log
        **pool,
    )


def raw_connection(connection: Connection) -> sqlite3.Connection:
    """The driver's connection below."""
    raw = connection.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(raw)
    return raw


def lock_file(path: Path) -> int:
    """Open the file on which the writers of all processes queue; the caller closes the descriptor.

    A lock of the kernel wakes the next in line; SQLite's own busy handler sleeps and polls.
    """
    return os.open(path.with_name(path.name + ".write-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def lock_for_writing(path: Path) -> Iterator[None]:
    """Keep every other writer of the file waiting."""
    lock = lock_file(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def refuse_network_file_system(path: Path) -> None:
    """Check where a file lies.

    Raises:
        FileSystemRefused: on another machine's disk.
    """
    name = NETWORK_FILE_SYSTEMS.get(_file_system_magic(path))
    if name:
        raise FileSystemRefused(path, f"{name} is a network file system")


def translate(error: BaseException) -> BaseException:
    """SQLite's errors in the words of the domain; everything else as it is."""
    if not isinstance(error, DatabaseError | sqlite3.Error):
        return error
    extended = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    if extended & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Throttled()
    if extended & 0xFF == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return StorageFull()
    if extended & 0xFF == sqlite3.SQLITE_READONLY:
        return StorageReadOnly()
    return error


def _configure(raw: sqlite3.Connection, path: Path, is_read_only: bool) -> None:
    for name, value, expected in (
        ("journal_mode", "WAL", "wal"),
        ("synchronous", "FULL", 2),
        ("foreign_keys", "ON", 1),
        ("cache_size", -CACHE_KIB, -CACHE_KIB),
        ("journal_size_limit", WAL_KEPT_BYTES, WAL_KEPT_BYTES),
        ("query_only", int(is_read_only), int(is_read_only)),
    ):
        raw.execute(f"PRAGMA {name}={value}")
        (actual,) = raw.execute(f"PRAGMA {name}").fetchone()
        if actual != expected:
            raise FileSystemRefused(path, f"SQLite refused {name}={value} and stays at {actual}")


def _file_system_magic(path: Path) -> int:
    """`f_type` of statfs(2), which `os.statvfs` leaves out; 0 where it cannot be asked."""
    if sys.platform != "linux":
        return 0
    answer = ctypes.create_string_buffer(512)  # struct statfs has about 120 bytes; f_type, a long, comes first
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), answer) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    return ctypes.c_long.from_buffer(answer).value & 0xFFFFFFFF
