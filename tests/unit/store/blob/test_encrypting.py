"""The frame format: vectors of docs/design/blob.md, and what its associated data forbids."""

from __future__ import annotations

import hashlib
from itertools import count

import pytest

from entrepot.domain.blob import BlobDamaged
from entrepot.store.blob.base import FRAME_BYTES, FRAME_OVERHEAD_BYTES, Format, Location, Segment
from entrepot.store.blob.encrypting import EncryptingBlobStore, Frames
from entrepot.store.blob.memory import MemoryBlobStore
from tests.support.ledger import MemoryLedger

KEY = "000102030405060708090a0b0c0d0e0f"
DATA_KEY = bytes(range(32))
SMALL = Location(KEY, Format.FRAMES, 16, DATA_KEY)


def counted() -> object:
    """Nonces 0, 1, 2, … for vectors that anybody can compute again."""
    numbers = count()
    return lambda size: next(numbers).to_bytes(size, "big")


def stored(location: Location, data: bytes) -> bytes:
    inner = MemoryBlobStore()
    store = EncryptingBlobStore(inner, counted())  # type: ignore[arg-type]
    writer = store.append(location, 0, None, "name", MemoryLedger())
    writer.write(memoryview(data))
    appended = writer.finish()
    store.publish(location, appended.segments, appended.tail, MemoryLedger())
    return inner._objects[location.storage_key]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"a", "0000000000000000000000006fc0baf0ff25eed2f4d117e9a628db5070"),
        (
            b"0123456789abcdefXYZ",
            (
                "0000000000000000000000003e8d87ed8119b58a3091c8577b48f4ff4be348430979e95f149987f3a61444d7"
                "0000000000000000000000014d8fe51d04f7c847f381c8992d1acae5f867bf"
            ),
        ),
    ],
)
def test_vectors_of_small_frames(data: bytes, expected: str) -> None:
    assert stored(SMALL, data).hex() == expected


def test_vector_of_whole_frames() -> None:
    data = hashlib.shake_256(b"entrepot").digest(2 * FRAME_BYTES + 1000)
    found = stored(Location(KEY, Format.FRAMES, FRAME_BYTES, DATA_KEY), data)
    assert len(found) == len(data) + 3 * FRAME_OVERHEAD_BYTES
    assert hashlib.sha256(found).hexdigest() == "ec28424396b75a314d6fccf3c6493d5a7a13bd754500a933a8e204b466debb20"


def test_frames_open_only_in_their_place() -> None:
    frames = Frames(SMALL)
    sealed = bytearray(16 + FRAME_OVERHEAD_BYTES)
    frames.seal_into(3, memoryview(b"x" * 16), memoryview(sealed))
    plain = bytearray(16)
    frames.open_into(3, memoryview(sealed), memoryview(plain))
    assert plain == b"x" * 16
    other_key = Frames(Location("f" * 32, Format.FRAMES, 16, DATA_KEY))
    other_secret = Frames(Location(KEY, Format.FRAMES, 16, bytes(32)))
    for wrong, index in ((frames, 2), (frames, 4), (other_key, 3), (other_secret, 3)):
        with pytest.raises(BlobDamaged):
            wrong.open_into(index, memoryview(sealed), memoryview(plain))


@pytest.mark.parametrize("place", [0, 11, 12, 20, 43])
def test_every_byte_of_a_frame_counts(place: int) -> None:
    frames = Frames(SMALL)
    sealed = bytearray(16 + FRAME_OVERHEAD_BYTES)
    frames.seal_into(0, memoryview(b"x" * 16), memoryview(sealed))
    sealed[place] ^= 1
    with pytest.raises(BlobDamaged):
        frames.open_into(0, memoryview(sealed), memoryview(bytearray(16)))


def test_a_tail_that_grows_is_encrypted_under_another_nonce() -> None:
    inner = MemoryBlobStore()
    store = EncryptingBlobStore(inner)
    nonces = set()
    size, tail = 0, None
    for number in range(5):
        writer = store.append(SMALL, size, tail, f"append-{number}", MemoryLedger())
        writer.write(memoryview(b"x"))
        appended = writer.finish()
        size, tail = appended.size_bytes, appended.tail
        assert tail is not None
        assert appended.segments == ()
        nonces.add(inner.read_tail(KEY, tail)[:12])
    assert len(nonces) == 5


def test_tail_of_another_length_than_the_row_says() -> None:
    store = EncryptingBlobStore(MemoryBlobStore())
    writer = store.append(SMALL, 0, None, "one", MemoryLedger())
    writer.write(memoryview(b"xyz"))
    tail = writer.finish().tail
    assert tail is not None
    for size, claimed in ((2, tail), (4, tail), (3, None), (3, Segment(tail.name, tail.stored_bytes + 1))):
        with pytest.raises(BlobDamaged):
            store.append(SMALL, size, claimed, "two", MemoryLedger())


def test_object_without_a_key_does_not_open() -> None:
    store = EncryptingBlobStore(MemoryBlobStore())
    with pytest.raises(BlobDamaged):
        store.append(Location(KEY, Format.FRAMES, 16, None), 0, None, "one", MemoryLedger())
