"""The contract of blob stores, over every driver and every wrapper around it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.error import StorageFull
from entrepot.store.blob.base import Appended, BlobStore, Format, Location, Segment, Staging, append_name
from entrepot.store.blob.encrypting import EncryptingBlobStore
from entrepot.store.blob.filesystem import FilesystemBlobStore
from entrepot.store.blob.memory import MemoryBlobStore
from entrepot.store.blob.s3.store import S3BlobStore
from tests.support.ledger import MemoryLedger

FRAME = 64
SIZES = [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 7 * FRAME, 7 * FRAME + 5]


@pytest.fixture(params=["filesystem", "memory", "s3", "encrypting(filesystem)", "encrypting(memory)", "encrypting(s3)"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> BlobStore:
    inner: BlobStore
    if "s3" in kind:
        inner = request.getfixturevalue("s3").store(tmp_path / "spool")
    else:
        inner = MemoryBlobStore() if "memory" in kind else FilesystemBlobStore(tmp_path / "store", 0)
    return EncryptingBlobStore(inner) if "encrypting" in kind else inner


@pytest.fixture
def location(kind: str) -> Location:
    if "encrypting" in kind:
        return Location("0123456789abcdef0123456789abcdef", Format.FRAMES, FRAME, os.urandom(32))
    return Location("0123456789abcdef0123456789abcdef")


@pytest.mark.parametrize("size", SIZES)
def test_an_object_made_at_once(store: BlobStore, location: Location, size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert store.make(location, data)
    assert read(store, location, size) == data
    if not store.is_shared:
        assert not store.make(location, data[::-1]), "an object that is there is never changed"
    store.open(location, size).close()
    store.delete(Staging(location.storage_key))
    with pytest.raises(BlobDamaged):
        read_first(store, location, size)


class Session:
    """What an upload row remembers of one object."""

    def __init__(self, store: BlobStore, location: Location) -> None:
        self.store, self.location = store, location
        self.ledger = MemoryLedger()
        self.tail: Segment | None = None
        self.size_bytes = 0
        self.appends = 0

    @property
    def staging(self) -> Staging:
        return Staging(self.location.storage_key, self.appends, self.ledger.parts > 0)

    @property
    def pieces(self) -> list[Segment]:
        return self.ledger.acknowledged

    def stage(self, *pieces: bytes) -> Appended:
        """Append without acknowledging it."""
        self.appends += 1
        writer = self.store.append(self.location, self.size_bytes, self.tail, append_name(self.appends), self.ledger)
        for piece in pieces:
            writer.write(memoryview(piece))
        appended = writer.finish()
        writer.close()
        return appended

    def append(self, *pieces: bytes) -> None:
        appended = self.stage(*pieces)
        kept = [segment for segment in self.pieces if segment not in appended.replaced]
        self.ledger.acknowledged = [*kept, *appended.segments]
        self.tail, self.size_bytes = appended.tail, appended.size_bytes

    def publish(self) -> None:
        hold = self.store.hold(self.location.storage_key)
        assert hold is not None
        self.store.publish(self.location, self.pieces, self.tail, self.ledger)
        hold.release()

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        return read(self.store, self.location, self.size_bytes, start, end)


def read(store: BlobStore, location: Location, size_bytes: int, start: int = 0, end: int | None = None) -> bytes:
    buffer = bytearray((size_bytes if end is None else end) - start)
    reader = store.open(location, size_bytes)
    try:
        assert reader.read_into(start, memoryview(buffer), wait=True)
    finally:
        reader.close()
    return bytes(buffer)


def read_first(store: BlobStore, location: Location, size_bytes: int) -> None:
    """Open an object and read a byte of it; of an empty one claim that it has one."""
    read(store, location, max(1, size_bytes), 0, 1)


@pytest.fixture
def session(store: BlobStore, location: Location) -> Session:
    return Session(store, location)


@pytest.mark.parametrize("size", SIZES)
def test_one_append(session: Session, size: int) -> None:
    data = os.urandom(size)
    session.append(data)
    session.publish()
    assert session.size_bytes == size
    assert session.read() == data


@pytest.mark.parametrize("seed", range(12))
def test_any_split_gives_the_same_bytes(session: Session, seed: int) -> None:
    draw = random.Random(seed)
    data = draw.randbytes(draw.choice(SIZES) + draw.randrange(3 * FRAME))
    start = 0
    while start < len(data):
        end = min(len(data), start + draw.choice([1, 7, FRAME, FRAME + 1, 3 * FRAME]))
        middle = draw.randint(start, end)
        session.append(data[start:middle], data[middle:end])
        start = end
    session.publish()
    assert session.read() == data
    for _ in range(20):
        low = draw.randint(0, len(data))
        high = draw.randint(low, len(data))
        assert session.read(low, high) == data[low:high]


def test_reading_without_waiting_gives_the_bytes_or_nothing(session: Session) -> None:
    data = os.urandom(3 * FRAME + 3)
    session.append(data)
    session.publish()
    reader = session.store.open(session.location, len(data))
    buffer = bytearray(len(data))
    if reader.read_into(0, memoryview(buffer), wait=False):
        assert buffer == data
    reader.close()


def test_publishing_again_changes_nothing(session: Session) -> None:
    for _ in range(3):
        session.append(os.urandom(FRAME + 9))
    session.publish()
    first = session.read()
    session.publish()
    assert session.read() == first


@pytest.mark.parametrize("first", [0, 5, FRAME, FRAME + 5])
@pytest.mark.parametrize("second", [3, FRAME - 5, FRAME, 2 * FRAME + 1])
def test_append_after_a_publication_that_was_cut_off(session: Session, first: int, second: int) -> None:
    one, two = os.urandom(first), os.urandom(second)
    session.append(one)
    session.publish()  # and the process died before a row counted on the object
    session.append(two)
    session.publish()
    assert session.read() == one + two


def test_writer_that_lost_changes_nothing(session: Session) -> None:
    session.append(b"a" * (FRAME + 3))
    session.stage(b"x" * (2 * FRAME + 1))
    session.append(b"b" * 5)
    session.publish()
    assert session.read() == b"a" * (FRAME + 3) + b"b" * 5


def test_writer_that_never_finished_changes_nothing(session: Session) -> None:
    session.append(b"a" * (FRAME + 3))
    writer = session.store.append(session.location, session.size_bytes, session.tail, append_name(99), session.ledger)
    writer.write(memoryview(b"x" * 3 * FRAME))
    writer.close()
    writer.close()
    session.publish()
    assert session.read() == b"a" * (FRAME + 3)


def test_is_whole(session: Session) -> None:
    assert session.store.is_whole(session.location.storage_key, [])
    session.append(os.urandom(FRAME + 3))
    pieces = [*session.pieces, *([session.tail] if session.tail else [])]
    assert session.store.is_whole(session.location.storage_key, pieces)
    longer = [Segment(pieces[0].name, pieces[0].stored_bytes + 1), *pieces[1:]]
    assert not session.store.is_whole(session.location.storage_key, longer)
    missing = [Segment("other.segment", 1)]
    assert not session.store.is_whole(session.location.storage_key, missing)
    with pytest.raises(BlobDamaged):
        session.store.publish(session.location, longer, None, session.ledger)
    with pytest.raises(BlobDamaged):
        session.store.publish(session.location, [*pieces, *missing], None, session.ledger)
    with pytest.raises(BlobDamaged):
        session.store.publish(session.location, missing, None, session.ledger)


def test_discard_keeps_the_object(session: Session) -> None:
    session.append(os.urandom(FRAME + 3))
    session.publish()
    before = session.read()
    session.store.discard(session.staging)
    session.store.discard(session.staging)
    assert session.read() == before
    assert not session.store.is_whole(session.location.storage_key, session.pieces)


def test_delete_leaves_nothing(session: Session, tmp_path: Path) -> None:
    session.append(os.urandom(FRAME + 3))
    session.publish()
    session.append(b"more")
    session.store.delete(session.staging)
    session.store.delete(session.staging)
    with pytest.raises(BlobDamaged):
        session.read()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_open_object_outlives_its_deletion(session: Session) -> None:
    data = os.urandom(2 * FRAME + 3)
    session.append(data)
    session.publish()
    reader = session.store.open(session.location, len(data))
    session.store.delete(session.staging)
    buffer = bytearray(len(data))
    if session.store.is_shared:  # a store far away keeps nothing open: it says so, and serves nothing else
        with pytest.raises(BlobDamaged):
            reader.read_into(0, memoryview(buffer), wait=True)
        return
    assert reader.read_into(0, memoryview(buffer), wait=True)
    reader.close()
    reader.close()
    assert buffer == data


def test_missing_object(store: BlobStore, location: Location) -> None:
    with pytest.raises(BlobDamaged):
        read(store, location, 1)


@pytest.mark.parametrize("claimed", [-1, 1])
def test_object_of_another_length_does_not_open(session: Session, claimed: int) -> None:
    session.append(os.urandom(2 * FRAME + 3))
    session.publish()
    with pytest.raises(BlobDamaged):
        read(session.store, session.location, session.size_bytes + claimed, 0, 1)


def test_a_look_tells_what_is_missing_or_of_another_length(session: Session) -> None:
    """Verification asks nothing else of an object whose bytes it does not read."""
    store, location = session.store, session.location
    with pytest.raises(BlobDamaged, match="missing"):
        store.look(location, 0)
    session.append(os.urandom(2 * FRAME + 3))
    session.publish()
    store.look(location, session.size_bytes)
    for wrong in (-1, 1):
        with pytest.raises(BlobDamaged, match=r"stored bytes|length"):
            store.look(location, session.size_bytes + wrong)
    store.delete(session.staging)
    with pytest.raises(BlobDamaged, match="missing"):
        store.look(location, session.size_bytes)


def test_reading_past_the_end(session: Session) -> None:
    session.append(os.urandom(FRAME + 3))
    session.publish()
    with pytest.raises(BlobDamaged):
        session.read(FRAME, FRAME + 4)


def test_hold_is_exclusive(store: BlobStore, location: Location) -> None:
    first, other = store.hold(location.storage_key), store.hold("f" * 32)
    assert first is not None
    assert other is not None
    assert store.hold(location.storage_key) is None
    first.release()
    first.release()
    second = store.hold(location.storage_key)
    assert second is not None
    first.release()
    assert store.hold(location.storage_key) is None
    second.release()
    other.release()


def test_full_store_refuses_and_keeps_what_was_acknowledged(
    session: Session, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.append(b"a" * (FRAME + 3))
    inner = session.store._inner if isinstance(session.store, EncryptingBlobStore) else session.store
    if isinstance(inner, MemoryBlobStore):
        inner.capacity_bytes = 1
    elif isinstance(inner, S3BlobStore):
        monkeypatch.setattr(inner.spool, "reserve_bytes", 1 << 60)
    else:
        monkeypatch.setattr(inner, "_reserve_bytes", 1 << 60)
    with pytest.raises(StorageFull):
        session.store.check_room()
    with pytest.raises(StorageFull):
        session.stage(b"b" * 2 * FRAME)
    if isinstance(inner, MemoryBlobStore):
        inner.capacity_bytes = None
    monkeypatch.undo()
    session.publish()
    assert session.read() == b"a" * (FRAME + 3)


def test_everything_that_lies_in_a_store_is_listed(session: Session) -> None:
    assert list(session.store.list_objects()) == []
    session.append(os.urandom(FRAME + 3))
    session.publish()
    found = sorted(session.store.list_objects(), key=lambda one: one.is_staged)
    assert {one.storage_key for one in found} == {session.location.storage_key}
    assert [one.is_staged for one in found][:2] == [False, True]
    assert found[0].stored_bytes == session.location.stored_bytes(FRAME + 3)
    session.store.delete(session.staging)
    assert list(session.store.list_objects()) == []


def test_what_is_set_aside_is_found_no_more(session: Session) -> None:
    session.append(os.urandom(FRAME + 3))
    session.publish()
    assert session.store.set_aside(session.location.storage_key)
    assert list(session.store.list_objects()) == []
    assert session.store.set_aside(session.location.storage_key) is None
    with pytest.raises(BlobDamaged):
        session.read(0, 1)
