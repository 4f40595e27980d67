"""Operations on files: durable directories, whole writes, copies in the kernel, and how a full disk shows."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from entrepot.domain.error import StorageFull, StorageReadOnly
from entrepot.domain.limit import MIB
from entrepot.store.durability import SyncFailed, fsync_path

COPY_BYTES = 8 * MIB
RESERVE_SHARE = 0.01
RESERVE_BYTES_MIN = 256 * MIB
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_CANNOT_COPY = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


def free_bytes(directory: Path) -> int:
    """Bytes that this user may still write on the disk of `directory`.

    Raises:
        StorageReadOnly: the disk takes no writes.
    """
    disk = os.statvfs(directory)
    if disk.f_flag & os.ST_RDONLY:
        raise StorageReadOnly
    return disk.f_bavail * disk.f_frsize


def default_reserve(directory: Path) -> int:
    """Bytes of the disk of `directory` that stay free: the larger of 1 % and 256 MiB."""
    disk = os.statvfs(directory)
    return max(int(disk.f_blocks * disk.f_frsize * RESERVE_SHARE), RESERVE_BYTES_MIN)


@contextlib.contextmanager
def refusal_noticed() -> Iterator[None]:
    """Turn the operating system's ways of saying that a disk takes no more into StorageFull and StorageReadOnly."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        if error.errno in _READ_ONLY:
            raise StorageReadOnly from error
        raise


class DurableDirectories:
    """Directories below `root` that survive a loss of power, as far as this process has seen to it."""

    def __init__(self, root: Path) -> None:
        self._known = {root}

    def make(self, directory: Path) -> None:
        """Make a directory. One that is there is made durable too: whoever made it may have died before that.

        Raises:
            SyncFailed: the directory is gone again, so that whoever tries next writes its entry anew.
            StorageFull, StorageReadOnly
        """
        if directory in self._known:
            return
        self.make(directory.parent)
        with refusal_noticed():
            is_ours = _made(directory)
            try:
                fsync_path(directory.parent)
            except SyncFailed:
                if is_ours:
                    with contextlib.suppress(OSError):
                        directory.rmdir()
                raise
        self._known.add(directory)


def _made(directory: Path) -> bool:
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return True


def write_all(fd: int, data: memoryview) -> None:
    """Write everything, however many calls it takes."""
    while data:
        data = data[os.write(fd, data) :]


def copy_bytes(source: int, target: int, at: int, count: int) -> int:
    """Copy the first `count` bytes of `source` to the place `at`; how many there were."""
    done = 0
    while done < count:
        try:
            step = os.copy_file_range(source, target, min(count - done, COPY_BYTES), done, at + done)
        except OSError as error:
            if error.errno not in _CANNOT_COPY:
                raise
            step = os.pwrite(target, os.pread(source, min(count - done, MIB), done), at + done)
        if not step:
            break
        done += step
    return done
