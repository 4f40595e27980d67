"""The spool: local files without a name for bytes on their way to S3, which end with their process."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from entrepot.domain.error import StorageFull
from entrepot.store.blob.files import default_reserve, free_bytes, refusal_noticed


class Spool:
    """A directory for them; `reserve_bytes` of its disk stay free."""

    def __init__(self, directory: Path, reserve_bytes: int | None) -> None:
        """`reserve_bytes` None keeps the larger of 1 % and 256 MiB."""
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.reserve_bytes = reserve_bytes if reserve_bytes is not None else default_reserve(directory)

    def check_room(self) -> None:
        """Refuse when the reserve is touched.

        Raises:
            StorageFull
        """
        if free_bytes(self._directory) < self.reserve_bytes:
            raise StorageFull

    def file(self) -> SpoolFile:
        """A new empty file."""
        with refusal_noticed():
            return SpoolFile(self._directory)


class SpoolFile:
    """One file; whoever made it closes it."""

    def __init__(self, directory: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 - closed by `close`
        self.fd = self._file.fileno()

    def write(self, at: int, data: memoryview) -> None:
        """Write everything at a place; what lies before it may be written later.

        Raises:
            StorageFull
        """
        with refusal_noticed():
            while data:
                count = os.pwrite(self.fd, data, at)
                at, data = at + count, data[count:]

    def close(self) -> None:
        """Give its space back; may be called again."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Region:
    """Some bytes of a file, as the body of requests: a `Body` of the client."""

    file: SpoolFile
    start: int
    size_bytes: int

    def open(self) -> RegionReader:
        return RegionReader(self.file.fd, self.start, self.size_bytes)


class RegionReader:
    """Reads a region once; several may read the same one."""

    def __init__(self, fd: int, start: int, size_bytes: int) -> None:
        self._fd, self._at, self._end = fd, start, start + size_bytes

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes; none at the end."""
        left = self._end - self._at
        data = os.pread(self._fd, left if count < 0 else min(count, left), self._at)
        self._at += len(data)
        return data
