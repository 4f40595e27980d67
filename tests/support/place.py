"""Where the blobs of a test are, seen from outside the program: looked at and damaged in every kind of store."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Protocol

from entrepot.store.blob.base import BlobStore
from entrepot.store.blob.filesystem import FilesystemBlobStore
from tests.support.s3 import S3Server


class Place(Protocol):
    """One store; every worker opens it anew."""

    def open(self) -> BlobStore:
        """The store as a process of its own, with a local disk of its own, has it."""

    def names(self) -> list[str]:
        """The last part of the name of everything that is there, staged or published."""

    def is_staging_left(self) -> bool:
        """Whether the store keeps anything for an upload, if only a name."""

    def read_all(self) -> bytes:
        """All bytes in any order."""

    def cut(self) -> None:
        """Take the last byte of everything."""

    def damage(self, at: int) -> None:
        """Change a byte of everything, counted from the end."""

    def clear(self) -> None:
        """Remove everything."""


class Files:
    """A directory of the filesystem store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self) -> FilesystemBlobStore:
        return FilesystemBlobStore(self.root, 0)

    def names(self) -> list[str]:
        return sorted(path.name for path in self._files())

    def is_staging_left(self) -> bool:
        return any((self.root / "staging").glob("*/*"))

    def read_all(self) -> bytes:
        return b"".join(path.read_bytes() for path in self._files())

    def cut(self) -> None:
        for path in self._files():
            os.truncate(path, path.stat().st_size - 1)

    def damage(self, at: int) -> None:
        for path in self._files():
            path.write_bytes(_damaged(path.read_bytes(), at))

    def clear(self) -> None:
        for path in self._files():
            path.unlink()

    def _files(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file()]


class Objects:
    """A prefix of an S3 bucket."""

    def __init__(self, s3: S3Server, directory: Path) -> None:
        self._s3 = s3
        self._spools = (directory / f"spool-{number}" for number in count())

    def open(self) -> BlobStore:
        return self._s3.store(next(self._spools))

    def names(self) -> list[str]:
        return sorted(key.rpartition("/")[2] for key in [*self._s3.object_keys(), *self._s3.multiparts()])

    def is_staging_left(self) -> bool:
        return bool(self._s3.multiparts()) or any(key.startswith("staging/") for key in self._s3.object_keys())

    def read_all(self) -> bytes:
        return b"".join(self._s3.client().call("GET", key).data for key in self._s3.object_keys())

    def cut(self) -> None:
        self._change(lambda data: data[:-1])

    def damage(self, at: int) -> None:
        self._change(lambda data: _damaged(data, at))

    def clear(self) -> None:
        for key in self._s3.object_keys():
            self._s3.client().call("DELETE", key)

    def _change(self, change: Callable[[bytes], bytes]) -> None:
        client = self._s3.client()
        for key in self._s3.object_keys():
            client.call("PUT", key, body=change(client.call("GET", key).data))


def _damaged(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)
