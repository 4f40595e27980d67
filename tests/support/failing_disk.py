"""A disk on which one fsync fails, and which knows what would be there after a loss of power.

As Linux does it: what an fsync could not write is dropped, and the next fsync of the same file succeeds all the same.
So bytes are durable when their file was synced and never failed; the entry of a directory when that directory was
synced after the entry was made, and did not fail in between.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

Entry = tuple[int, str, int]
"""Inode of a directory, a name in it, and the inode that it leads to."""


class FailingDisk:
    """Stands in for `os.fsync` below `root`; every inode that it saw is kept open, so that no number comes twice."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._fsync = os.fsync
        self._lock = threading.Lock()
        self._kept: list[int] = []
        self._synced: set[int | Entry] = set()
        self._lost: set[int | Entry] = set()
        self.fail_at: int | None = None
        """Which of the coming calls fails, from 0."""
        self.on_sync: Callable[[Path], object] = lambda _: None
        self.failed: Counter[str] = Counter()
        """The kinds of files whose sync failed: `directory` or the file's suffix."""

    def fsync(self, fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if self._root not in (path, *path.parents):
            return self._fsync(fd)
        self.on_sync(path)
        with self._lock:
            self._kept.append(os.dup(fd))
            what = self._written_by(path, os.fstat(fd).st_ino)
            is_failing = self.fail_at == 0
            self.fail_at = None if self.fail_at is None or is_failing else self.fail_at - 1
            if is_failing:
                self.failed["directory" if path.is_dir() else path.suffix] += 1
                self._lost |= what - self._synced
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self._synced |= what - self._lost
        return None

    def would_keep(self, path: Path) -> bool:
        """Whether a file and every directory on the way to it would be there after a loss of power."""
        way = [path, *(above for above in path.parents if self._root in above.parents)]
        entries = {(each.parent.stat().st_ino, each.name, each.stat().st_ino) for each in way}
        return {path.stat().st_ino, *entries} <= self._synced

    def close(self) -> None:
        for fd in self._kept:
            os.close(fd)

    def _written_by(self, path: Path, inode: int) -> set[int | Entry]:
        if not path.is_dir():
            return {inode}
        for each in path.iterdir():
            self._kept.append(os.open(each, os.O_RDONLY))
        return {(inode, each.name, each.stat().st_ino) for each in path.iterdir()}
