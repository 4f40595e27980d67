"""Published files, open: read at any place, from the page cache without waiting or from the disk."""

from __future__ import annotations

import errno
import os

from entrepot.domain.blob import BlobDamaged


class FileReader:
    """An open file, read at any place by any thread."""

    def __init__(self, storage_key: str, fd: int) -> None:
        self._storage_key = storage_key
        self._fd: int | None = fd
        self._can_try = True
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read_into(self, start: int, buffer: memoryview, *, wait: bool) -> bool:
        return self._read(start, buffer) if wait else self._try(start, buffer)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def _try(self, start: int, buffer: memoryview) -> bool:
        """Take the bytes if the page cache has them all."""
        if not self._can_try or self._fd is None:
            return False
        try:
            return os.preadv(self._fd, [buffer], start, os.RWF_NOWAIT) == len(buffer)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            self._can_try = False  # the file system cannot tell
            return False

    def _read(self, start: int, buffer: memoryview) -> bool:
        if self._fd is None:
            raise ValueError("the reader is closed")
        while buffer:
            count = os.preadv(self._fd, [buffer], start)
            if not count:
                raise BlobDamaged(self._storage_key, f"the object ends at stored byte {start}")
            start, buffer = start + count, buffer[count:]
        return True
