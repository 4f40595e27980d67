"""Objects from one directory to another, as they are stored: by hard link where that goes, else by a durable copy.

Objects never change under their key, so one that is there in its length is the same.
"""

from __future__ import annotations

import errno
import os
from enum import StrEnum
from pathlib import Path

from entrepot.store.blob.files import DurableDirectories, copy_bytes, refusal_noticed
from entrepot.store.durability import fsync_path

_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


class Transferred(StrEnum):
    """How an object came to be where it is."""

    PRESENT = "present"
    LINKED = "linked"
    COPIED = "copied"


class ObjectMissing(Exception):
    """The object is not where it should be, or shorter; `path` is where it was looked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class Transfer:
    """Brings objects below one root. The entries of directories are durable after `finish`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directories = DurableDirectories(root)
        self._touched: set[Path] = set()

    def path(self, storage_key: str) -> Path:
        """Where an object goes."""
        return self._root / storage_key[:2] / storage_key

    def bring(self, source: Path, storage_key: str, stored_bytes: int) -> Transferred:
        """Bring one object.

        Raises:
            ObjectMissing: the source is not there, or has another length.
            StorageFull
        """
        target = self.path(storage_key)
        if _length(target) == stored_bytes:
            return Transferred.PRESENT
        if _length(source) != stored_bytes:
            raise ObjectMissing(source)
        self._directories.make(target.parent)
        self._touched.add(target.parent)
        target.unlink(missing_ok=True)  # of a copy that was cut off by a loss of power
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
        else:
            return Transferred.LINKED
        with refusal_noticed():
            _copy(source, target, stored_bytes)
        return Transferred.COPIED

    def finish(self) -> None:
        """Make all names durable."""
        for directory in sorted(self._touched):
            fsync_path(directory)
        self._touched.clear()


def _length(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _copy(source: Path, target: Path, stored_bytes: int) -> None:
    """Copy beside the target first, so that what has its name is whole."""
    partial = target.with_name(f".{target.name}.partial")
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if copy_bytes(reading, writing, 0, stored_bytes) != stored_bytes:
                raise ObjectMissing(source)
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    partial.rename(target)
