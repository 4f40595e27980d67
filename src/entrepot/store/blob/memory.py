"""Blobs in memory, for tests: the contract without a disk."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.error import StorageFull
from entrepot.store.blob.base import Appended, Ledger, Location, Segment, Staging, StoredObject


class MemoryBlobStore:
    """A store that holds at most `capacity_bytes`; None for no limit."""

    name = "memory"
    is_shared = False

    def __init__(self, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self._objects: dict[str, bytes] = {}
        self._staged: dict[str, dict[str, bytes]] = {}
        self._making = threading.Lock()
        self._holds: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def check_room(self) -> None:
        staged = (piece for pieces in self._staged.values() for piece in pieces.values())
        used_bytes = sum(map(len, self._objects.values())) + sum(map(len, staged))
        if self.capacity_bytes is not None and used_bytes >= self.capacity_bytes:
            raise StorageFull

    def append(
        self, location: Location, size_bytes: int, tail: Segment | None, name: str, ledger: Ledger
    ) -> MemoryWriter:
        del tail, ledger
        return MemoryWriter(self, self._staged.setdefault(location.storage_key, {}), name, size_bytes)

    def is_whole(self, storage_key: str, pieces: Iterable[Segment]) -> bool:
        staged = self._staged.get(storage_key, {})
        return all(len(staged.get(piece.name, b"")) >= piece.stored_bytes for piece in pieces)

    def write_tail(self, storage_key: str, name: str, data: bytes) -> Segment:
        self.check_room()
        self._staged.setdefault(storage_key, {})[f"{name}.tail"] = bytes(data)
        return Segment(f"{name}.tail", len(data))

    def read_tail(self, storage_key: str, tail: Segment) -> bytes:
        data = self._staged.get(storage_key, {}).get(tail.name, b"")
        if len(data) != tail.stored_bytes:
            raise BlobDamaged(storage_key, f"{tail.name} has {len(data)} bytes, not {tail.stored_bytes}")
        return data

    def remove_piece(self, storage_key: str, name: str) -> None:
        self._staged.get(storage_key, {}).pop(name, None)

    def hold(self, storage_key: str) -> MemoryHold | None:
        lock = self._holds[storage_key]
        return MemoryHold(lock) if lock.acquire(blocking=False) else None

    def publish(self, location: Location, segments: Sequence[Segment], tail: Segment | None, ledger: Ledger) -> bool:
        del ledger
        pieces = [*segments, tail] if tail else list(segments)
        if not self.is_whole(location.storage_key, pieces):
            raise BlobDamaged(location.storage_key, "a piece is missing or too short")
        staged = self._staged.get(location.storage_key, {})
        self._objects[location.storage_key] = b"".join(staged[piece.name][: piece.stored_bytes] for piece in pieces)
        return True

    def make(self, location: Location, data: bytes) -> bool:
        self.check_room()
        with self._making:
            if location.storage_key in self._objects:
                return False
            self._objects[location.storage_key] = data
        return True

    def open(self, location: Location, size_bytes: int) -> MemoryReader:
        data = self._objects.get(location.storage_key)
        if data is None or len(data) != location.stored_bytes(size_bytes):
            raise BlobDamaged(location.storage_key, "the object is missing or has another length")
        return MemoryReader(location.storage_key, data)

    def presign(self, location: Location, seconds: int, headers: Mapping[str, str]) -> None:
        """Nobody but this program reads here."""

    def look(self, location: Location, size_bytes: int) -> None:
        self.open(location, size_bytes).close()

    def discard(self, staging: Staging) -> None:
        self._staged.pop(staging.storage_key, None)

    def delete(self, staging: Staging) -> None:
        self._objects.pop(staging.storage_key, None)
        self.discard(staging)

    def list_objects(self) -> Iterator[StoredObject]:
        for key, data in list(self._objects.items()):
            yield StoredObject(key, is_staged=False, stored_bytes=len(data), changed_at=0.0)
        for key, pieces in list(self._staged.items()):
            yield StoredObject(key, is_staged=True, stored_bytes=sum(map(len, pieces.values())), changed_at=0.0)

    def set_aside(self, storage_key: str) -> str | None:
        data, pieces = self._objects.pop(storage_key, None), self._staged.pop(storage_key, None)
        return None if data is None and pieces is None else "forgotten"


class MemoryWriter:
    """One append to a list of its own."""

    def __init__(self, store: MemoryBlobStore, staged: dict[str, bytes], name: str, size_bytes: int) -> None:
        self._store = store
        self._staged = staged
        self._name = f"{name}.segment"
        self._before_bytes = size_bytes
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        self._store.check_room()
        self._data += data

    def finish(self) -> Appended:
        segments = (Segment(self._name, len(self._data)),) if self._data else ()
        if segments:
            self._staged[self._name] = bytes(self._data)
        return Appended(segments, None, self._before_bytes + len(self._data))

    def close(self) -> None:
        """Nothing is held."""


class MemoryReader:
    """The bytes of an object, kept while somebody reads them."""

    def __init__(self, storage_key: str, data: bytes) -> None:
        self._storage_key = storage_key
        self._data = data

    def read_into(self, start: int, buffer: memoryview, *, wait: bool) -> bool:  # noqa: ARG002
        piece = self._data[start : start + len(buffer)]
        if len(piece) != len(buffer):
            raise BlobDamaged(self._storage_key, f"the object ends at stored byte {len(self._data)}")
        buffer[:] = piece
        return True

    def close(self) -> None:
        """Nothing is held."""


class MemoryHold:
    """A lock of this process, taken."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock: threading.Lock | None = lock

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None
