"""Operations on files: durable directories, whole writes, copies in the kernel, and how a full disk shows."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from entrepot.domain.error import StorageFull
from entrepot.domain.limit import MIB
from entrepot.store.durability import fsync_path

COPY_BYTES = 8 * MIB
RESERVE_SHARE = 0.01
RESERVE_BYTES_MIN = 256 * MIB
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CANNOT_COPY = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


def free_bytes(directory: Path) -> int:
    """Bytes that this user may still write on the disk of `directory`."""
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def default_reserve(directory: Path) -> int:
    """Bytes of the disk of `directory` that stay free: the larger of 1 % and 256 MiB."""
    disk = os.statvfs(directory)
    return max(int(disk.f_blocks * disk.f_frsize * RESERVE_SHARE), RESERVE_BYTES_MIN)


@contextlib.contextmanager
def full_disk_noticed() -> Iterator[None]:
    """Turn the operating system's ways of saying that the disk is full into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


class DurableDirectories:
    """Directories below `root` that survive a loss of power, as far as this process has seen to it."""

    def __init__(self, root: Path) -> None:
        self._known = {root}

    def make(self, directory: Path) -> None:
        """Make a directory. One that is there is made durable too: whoever made it may have died before that."""
        if directory in self._known:
            return
        self.make(directory.parent)
        with contextlib.suppress(FileExistsError), full_disk_noticed():
            directory.mkdir(mode=0o700)
        fsync_path(directory.parent)
        self._known.add(directory)


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
