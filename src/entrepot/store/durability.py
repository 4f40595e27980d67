"""What makes files and the entries of directories survive a loss of power."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_SYNC_FILE_RANGE_WRITE = 2


class SyncFailed(OSError):
    """The disk did not take what was written, and the kernel may have forgotten that it had to.

    A second sync would so say that all is well: what must be durable has to be written again.
    """


def fsync(descriptor: int) -> None:
    """Wait until what was written is on the disk.

    Raises:
        SyncFailed
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise SyncFailed(error.errno, error.strerror) from error


def fsync_path(path: Path) -> None:
    """Wait until the bytes of a file, or the entries of a directory, are on the disk.

    Raises:
        SyncFailed
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory and the missing ones above it, readable by nobody else; durable on return.

    Raises:
        OSError: it cannot be made, or is no directory.
    """
    missing = [each for each in path.parents if not each.exists()]
    for each in (*reversed(missing), path):  # one that is there too: whoever made it may have died before its fsync
        each.mkdir(mode=0o700, exist_ok=True)
        fsync_path(each.parent)


def start_writing(descriptor: int, start: int, count: int) -> None:
    """Have the kernel begin to write bytes of a file to the disk, so that a later fsync has less to wait for.

    Promises nothing, and does nothing where there is no such call.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, ctypes.c_int64(start), ctypes.c_int64(count), _SYNC_FILE_RANGE_WRITE)


_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None) if sys.platform == "linux" else None
