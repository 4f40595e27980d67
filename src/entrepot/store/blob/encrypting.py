"""Encryption at rest around any store: plain bytes outside, frames inside.

A frame is `12-byte random nonce ‖ ciphertext of 262,144 plain bytes, the last one of an object shorter ‖ 16-byte tag`
by AES-256-GCM, with `version ‖ storage key ‖ frame index` as associated data; a double frame is such a frame around
another one, each under a key of its own. No frame is written twice under one
nonce: the partial last frame of an append is a tail of its own, encrypted again when it grows. Objects of the plain
format pass through. See `docs/design/blob.md`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.domain.blob import BlobDamaged
from entrepot.store.blob.base import (
    FRAME_OVERHEAD_BYTES,
    Appended,
    BlobStore,
    Format,
    Hold,
    Ledger,
    Location,
    Reader,
    Segment,
    Staging,
    StoredObject,
    Writer,
)

FRAME_VERSION = b"\x01"
NONCE_BYTES = 12
FRAMES_PER_WRITE = 2
"""Frames that are encrypted before they go to the inner store in one call; bounds the memory of an upload."""

Random = Callable[[int], bytes]


class EncryptingBlobStore:
    """A store whose bytes nobody can read without the keys in the locations."""

    def __init__(self, inner: BlobStore, random_bytes: Random = os.urandom) -> None:
        self._inner = inner
        self._random_bytes = random_bytes
        self.name = inner.name
        self.is_shared = inner.is_shared

    def append(self, location: Location, size_bytes: int, tail: Segment | None, name: str, ledger: Ledger) -> Writer:
        if location.format is Format.PLAIN:
            return self._inner.append(location, size_bytes, tail, name, ledger)
        frames = Frames(location, self._random_bytes)
        held = size_bytes % location.frame_bytes
        begun = frames.open_alone(size_bytes, self._inner.read_tail(location.storage_key, tail)) if tail else b""
        if len(begun) != held:
            raise BlobDamaged(location.storage_key, f"the tail has {len(begun)} plain bytes, not {held}")
        whole_frames = self._inner.append(location, size_bytes, None, name, ledger)
        return FrameWriter(self._inner, whole_frames, frames, begun, size_bytes, name)

    def open(self, location: Location, size_bytes: int) -> Reader:
        reader = self._inner.open(location, size_bytes)
        if location.format is Format.PLAIN:
            return reader
        return FrameReader(reader, Frames(location, self._random_bytes), size_bytes)

    def look(self, location: Location, size_bytes: int) -> None:
        self._inner.look(location, size_bytes)

    def make(self, location: Location, data: bytes) -> bool:
        if location.format is Format.PLAIN:
            return self._inner.make(location, data)
        return self._inner.make(location, bytes(Frames(location, self._random_bytes).seal_all(memoryview(data))))

    def check_room(self) -> None:
        self._inner.check_room()

    def is_whole(self, storage_key: str, pieces: Iterable[Segment]) -> bool:
        return self._inner.is_whole(storage_key, pieces)

    def write_tail(self, storage_key: str, name: str, data: bytes) -> Segment:
        return self._inner.write_tail(storage_key, name, data)

    def read_tail(self, storage_key: str, tail: Segment) -> bytes:
        return self._inner.read_tail(storage_key, tail)

    def remove_piece(self, storage_key: str, name: str) -> None:
        self._inner.remove_piece(storage_key, name)

    def hold(self, storage_key: str) -> Hold | None:
        return self._inner.hold(storage_key)

    def publish(self, location: Location, segments: Sequence[Segment], tail: Segment | None, ledger: Ledger) -> bool:
        return self._inner.publish(location, segments, tail, ledger)

    def presign(self, location: Location, seconds: int, headers: Mapping[str, str]) -> str | None:
        return self._inner.presign(location, seconds, headers) if location.format is Format.PLAIN else None

    def discard(self, staging: Staging) -> None:
        self._inner.discard(staging)

    def delete(self, staging: Staging) -> None:
        self._inner.delete(staging)

    def list_objects(self) -> Iterator[StoredObject]:
        return self._inner.list_objects()

    def set_aside(self, storage_key: str) -> str | None:
        return self._inner.set_aside(storage_key)


class Frames:
    """The cipher of one object: sealing and opening single frames by their index."""

    def __init__(self, location: Location, random_bytes: Random = os.urandom) -> None:
        if location.data_key is None:
            raise BlobDamaged(location.storage_key, "the object is encrypted and its row has no key")
        if location.format is Format.DOUBLE_FRAMES and location.outer_key in (None, location.data_key):
            raise BlobDamaged(location.storage_key, "the object is encrypted twice and its row has no second key")
        self.storage_key = location.storage_key
        self.plain_bytes = location.frame_bytes
        self.overhead_bytes = location.frame_overhead_bytes
        self.stored_bytes = location.frame_bytes + self.overhead_bytes
        keys = (location.data_key, location.outer_key)[: location.format]
        self._ciphers = [AESGCM(key) for key in keys if key is not None]
        self._bound_to = FRAME_VERSION + location.storage_key.encode()
        self._random_bytes = random_bytes

    def seal_into(self, index: int, plain: memoryview, target: memoryview) -> int:
        """Encrypt one frame under a fresh nonce; the stored bytes that it took."""
        for cipher in self._ciphers[:-1]:
            layer = memoryview(bytearray(len(plain) + FRAME_OVERHEAD_BYTES))
            self._seal_layer(cipher, index, plain, layer)
            plain = layer
        return self._seal_layer(self._ciphers[-1], index, plain, target)

    def seal_all(self, plain: memoryview) -> bytearray:
        """Encrypt a whole object."""
        starts = range(0, len(plain), self.plain_bytes)
        sealed, used = bytearray(len(plain) + len(starts) * self.overhead_bytes), 0
        for index, start in enumerate(starts):
            frame = plain[start : start + self.plain_bytes]
            used += self.seal_into(index, frame, memoryview(sealed)[used:])
        return sealed

    def open_into(self, index: int, stored: memoryview, target: memoryview) -> None:
        """Decrypt one frame of `len(target)` plain bytes.

        Raises:
            BlobDamaged: it is not what was written there.
        """
        for place, cipher in enumerate(self._ciphers[:0:-1], 1):
            inner = len(target) + self.overhead_bytes - place * FRAME_OVERHEAD_BYTES
            layer = memoryview(bytearray(inner))
            self._open_layer(cipher, index, stored, layer)
            stored = layer
        self._open_layer(self._ciphers[0], index, stored, target)

    def open_alone(self, size_bytes: int, stored: bytes) -> bytearray:
        """Decrypt the partial frame that ends an object of `size_bytes` plain bytes."""
        if len(stored) < self.overhead_bytes:
            raise BlobDamaged(self.storage_key, "a frame is shorter than its nonce and tag")
        plain = bytearray(len(stored) - self.overhead_bytes)
        self.open_into(size_bytes // self.plain_bytes, memoryview(stored), memoryview(plain))
        return plain

    def _seal_layer(self, cipher: AESGCM, index: int, plain: memoryview, target: memoryview) -> int:
        size = len(plain) + FRAME_OVERHEAD_BYTES
        nonce = self._random_bytes(NONCE_BYTES)
        target[:NONCE_BYTES] = nonce
        cipher.encrypt_into(nonce, plain, self._data_of(index), target[NONCE_BYTES:size])
        return size

    def _open_layer(self, cipher: AESGCM, index: int, stored: memoryview, target: memoryview) -> None:
        nonce, sealed = stored[:NONCE_BYTES], stored[NONCE_BYTES : len(target) + FRAME_OVERHEAD_BYTES]
        try:
            cipher.decrypt_into(nonce, sealed, self._data_of(index), target)
        except InvalidTag as error:
            raise BlobDamaged(self.storage_key, f"frame {index} fails its tag") from error

    def _data_of(self, index: int) -> bytes:
        return self._bound_to + index.to_bytes(8, "big")


class FrameWriter:
    """One append: whole frames go to a segment of the inner store, the rest becomes a tail."""

    def __init__(
        self, store: BlobStore, inner: Writer, frames: Frames, begun: bytes | bytearray, size_bytes: int, name: str
    ) -> None:
        self._store, self._inner, self._frames, self._name = store, inner, frames, name
        self._size_bytes = size_bytes
        self._index = size_bytes // frames.plain_bytes
        self._begun = bytearray(begun)
        self._sealed = bytearray(frames.stored_bytes * FRAMES_PER_WRITE)

    def write(self, data: memoryview) -> None:
        self._size_bytes += len(data)
        frame_bytes = self._frames.plain_bytes
        if self._begun:
            missing = frame_bytes - len(self._begun)
            self._begun += data[:missing]
            data = data[missing:]
            if len(self._begun) < frame_bytes:
                return
            self._seal(memoryview(self._begun))
            self._begun = bytearray()
        whole = len(data) - len(data) % frame_bytes
        step = frame_bytes * FRAMES_PER_WRITE
        for start in range(0, whole, step):
            self._seal(data[start : min(start + step, whole)])
        self._begun += data[whole:]

    def finish(self) -> Appended:
        whole = self._inner.finish()
        tail = self._write_tail() if self._begun else None
        return Appended(whole.segments, tail, self._size_bytes, whole.replaced)

    def close(self) -> None:
        self._inner.close()

    def _seal(self, plain: memoryview) -> None:
        """Encrypt at most FRAMES_PER_WRITE whole frames and hand them on."""
        sealed, used = memoryview(self._sealed), 0
        for start in range(0, len(plain), self._frames.plain_bytes):
            frame = plain[start : start + self._frames.plain_bytes]
            used += self._frames.seal_into(self._index, frame, sealed[used:])
            self._index += 1
        self._inner.write(sealed[:used])

    def _write_tail(self) -> Segment:
        sealed = bytearray(len(self._begun) + self._frames.overhead_bytes)
        self._frames.seal_into(self._index, memoryview(self._begun), memoryview(sealed))
        return self._store.write_tail(self._frames.storage_key, self._name, bytes(sealed))


class FrameReader:
    """An object of frames, read at any place: only the frames that the bytes are in are read and decrypted."""

    def __init__(self, inner: Reader, frames: Frames, size_bytes: int) -> None:
        self._inner, self._frames = inner, frames
        self._size_bytes = size_bytes
        self._stored = bytearray()

    def read_into(self, start: int, buffer: memoryview, *, wait: bool) -> bool:
        frame_bytes = self._frames.plain_bytes
        end = start + len(buffer)
        if end > self._size_bytes:
            raise BlobDamaged(self._frames.storage_key, f"the object ends at byte {self._size_bytes}")
        first, last = start // frame_bytes, -(-end // frame_bytes)
        stored = self._buffer_for(min(last * frame_bytes, self._size_bytes) - first * frame_bytes, last - first)
        if not self._inner.read_into(first * self._frames.stored_bytes, stored, wait=wait):
            return False
        for index in range(first, last):
            place = index * frame_bytes
            size = min(frame_bytes, self._size_bytes - place)
            sealed = stored[(index - first) * self._frames.stored_bytes :][: size + self._frames.overhead_bytes]
            low, high = max(start, place), min(end, place + size)
            target = buffer[low - start : high - start]
            if high - low == size:
                self._frames.open_into(index, sealed, target)
            else:
                frame = bytearray(size)
                self._frames.open_into(index, sealed, memoryview(frame))
                target[:] = memoryview(frame)[low - place : high - place]
        return True

    def close(self) -> None:
        self._inner.close()

    def _buffer_for(self, plain_bytes: int, frames: int) -> memoryview:
        size = plain_bytes + frames * self._frames.overhead_bytes
        if len(self._stored) < size:
            self._stored = bytearray(size)
        return memoryview(self._stored)[:size]
