"""Uploads into S3 that are large enough for parts, by several workers without a common disk, on both engines."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.domain.error import LayerDigestMismatch, LimitExceeded, RangeInvalid, UploadNotFound
from entrepot.domain.limit import PUBLISH_HOLD_SECONDS, UPLOAD_LEASE_SECONDS
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.upload.publish import hash_object
from entrepot.store.blob.base import Format, Location, Segment, Staging, append_name
from entrepot.store.blob.encrypting import EncryptingBlobStore
from entrepot.store.blob.s3 import append as s3_append
from entrepot.store.blob.s3.request import delete_objects
from entrepot.store.blob.s3.staging import object_key
from entrepot.store.metadata import upload as rows
from tests.support.bytes import APP, Worker, body, digest_of, keys_of, storage_at
from tests.support.database import DatabaseAddress
from tests.support.ledger import MemoryLedger
from tests.support.place import Objects
from tests.support.s3 import S3Server
from tests.support.service import ACCOUNT, REGISTRY, Clock

MIB = 1024 * 1024
PART = 8 * MIB
DATA = random.Random(5).randbytes(21 * MIB + 77)


@pytest.fixture
def place(s3: S3Server, tmp_path: Path) -> Objects:
    return Objects(s3, tmp_path)


@pytest.fixture
def is_encrypting() -> bool:
    return True


@pytest.fixture
async def third_worker(
    worker: Worker, database_address: DatabaseAddress, context: Context, place: Objects
) -> AsyncIterator[Worker]:
    database = database_address.open()
    keys = await KeyService.open(database, context, bytes(range(32)))
    storage = storage_at(place, keys, context)
    yield Worker(database, context, keys, storage)
    await storage.close()
    await database.close()


@pytest.fixture
def three(worker: Worker, second_worker: Worker, third_worker: Worker) -> list[Worker]:
    return [worker, second_worker, third_worker]


async def complete(worker: Worker, upload_id: str, data: bytes) -> None:
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(data))


async def push_in_turn(three: list[Worker], cuts: list[int]) -> str:
    upload_id = await three[0].start()
    for turn, (start, end) in enumerate(itertools.pairwise(cuts)):
        assert await three[turn % 3].append(upload_id, DATA[start:end]) == end
    return upload_id


def pieces(count: int) -> list[int]:
    return [len(DATA) * number // count for number in range(count + 1)]


@pytest.mark.parametrize(
    "cuts",
    [
        [0, len(DATA)],
        [0, 3 * PART // 2, 3 * PART // 2 + 1, len(DATA)],
        [0, PART, 2 * PART, len(DATA)],
        [0, 5 * MIB, 10 * MIB, 15 * MIB, 20 * MIB, len(DATA)],
        pieces(60),
    ],
)
async def test_three_workers_without_a_common_disk(
    three: list[Worker], place: Objects, s3: S3Server, clock: Clock, cuts: list[int]
) -> None:
    upload_id = await push_in_turn(three, cuts)
    assert len([key for key in s3.object_keys() if key.endswith(".segment")]) <= s3_append.LOOSE_MAX
    await complete(three[len(cuts) % 3], upload_id, DATA)
    for worker in three:
        assert await worker.pull(DATA) == DATA
    assert await three[0].pull(DATA, PART - 5, 2 * PART + 5) == DATA[PART - 5 : 2 * PART + 5]
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await three[1].uploads.sweep()
    assert place.names() == await keys_of(three[0].database)


async def test_a_digest_that_is_wrong_after_the_parts_were_joined(three: list[Worker]) -> None:
    """Nobody saw all bytes, so they are joined first; the object that is there is found by the next attempt."""
    upload_id = await push_in_turn(three, pieces(4))
    with pytest.raises(LayerDigestMismatch):
        await complete(three[0], upload_id, b"other")
    await complete(three[1], upload_id, DATA)
    assert await three[2].pull(DATA) == DATA


async def test_bytes_after_the_parts_were_joined_end_the_session(
    three: list[Worker], place: Objects, clock: Clock
) -> None:
    upload_id = await push_in_turn(three, pieces(4))
    with pytest.raises(LayerDigestMismatch):
        await complete(three[0], upload_id, b"other")
    await three[1].append(upload_id, b"more")
    with pytest.raises(UploadNotFound):
        await complete(three[1], upload_id, DATA + b"more")
    with pytest.raises(UploadNotFound):
        await three[2].append(upload_id, bytes(2 * PART))
    await three[0].uploads.cancel(REGISTRY, APP, ACCOUNT, upload_id)
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await three[0].uploads.sweep()
    assert place.names() == []


async def slow(first: bytes, started: asyncio.Event, go_on: asyncio.Event, last: bytes) -> AsyncIterator[bytes]:
    yield first
    started.set()
    await go_on.wait()
    yield last


async def test_a_stale_writer_changes_nothing(three: list[Worker], place: Objects, s3: S3Server, clock: Clock) -> None:
    one, two, _ = three
    upload_id = await one.start()
    await one.append(upload_id, DATA[: 3 * MIB])
    upload = await one.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    started, go_on = asyncio.Event(), asyncio.Event()
    loser = asyncio.create_task(one.uploads.append(upload, slow(b"x" * 2 * PART, started, go_on, b"x" * 2 * PART)))
    await asyncio.wait_for(started.wait(), 30)
    assert await two.append(upload_id, DATA[3 * MIB :]) == len(DATA)
    go_on.set()
    with pytest.raises(RangeInvalid) as lost:
        await loser
    assert lost.value.offset == len(DATA)
    await complete(two, upload_id, DATA)
    assert await one.pull(DATA) == DATA
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await one.uploads.sweep()
    assert place.names() == await keys_of(one.database)


async def test_a_writer_whose_upload_has_ended_stages_nothing_more(
    three: list[Worker], place: Objects, clock: Clock
) -> None:
    one, two, _ = three
    upload_id = await one.start()
    upload = await one.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    started, go_on = asyncio.Event(), asyncio.Event()
    writer = asyncio.create_task(one.uploads.append(upload, slow(DATA, started, go_on, b"tail")))
    await asyncio.wait_for(started.wait(), 30)
    await two.uploads.cancel(REGISTRY, APP, ACCOUNT, upload_id)
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await two.uploads.sweep()
    go_on.set()
    with pytest.raises(UploadNotFound):
        await writer
    assert place.names() == []


@pytest.mark.parametrize("size", [1000, 300_000, len(DATA)])
async def test_only_one_of_many_hosts_completes(three: list[Worker], place: Objects, clock: Clock, size: int) -> None:
    data = DATA[:size]
    upload_id = await three[0].start()
    await three[0].append(upload_id, data)
    outcomes = await asyncio.gather(
        *(complete(worker, upload_id, data) for worker in three * 2), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, UploadNotFound) for outcome in outcomes) == 5
    assert await three[1].pull(data) == data
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await three[0].uploads.sweep()
    assert place.names() == await keys_of(three[0].database)


async def test_small_blobs_at_once_by_many_hosts(three: list[Worker], place: Objects) -> None:
    upload_id = await three[0].start()
    wanted = [f"bytes of {number}".encode() for number in range(6)]

    async def put(worker: Worker, data: bytes) -> None:
        await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(data), body([data]), None, len(data))

    outcomes = await asyncio.gather(
        *(put(worker, data) for worker, data in zip(three * 2, wanted, strict=True)), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    winner = wanted[outcomes.index(None)]
    assert await three[2].pull(winner) == winner
    assert place.names() == await keys_of(three[0].database)


async def test_a_publisher_that_died_is_waited_for(three: list[Worker], clock: Clock) -> None:
    upload_id = await three[0].start()
    await three[0].append(upload_id, b"data")
    now = three[0].context.now_micros()
    until = now + PUBLISH_HOLD_SECONDS * 1_000_000
    hold = three[0].database.write(lambda connection: rows.hold_publishing(connection, upload_id, "dead", now, until))
    assert await hold
    waiting = asyncio.create_task(complete(three[1], upload_id, b"data"))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    clock.forward(seconds=PUBLISH_HOLD_SECONDS + 1)
    await asyncio.wait_for(waiting, 20)
    assert await three[0].pull(b"data") == b"data"


async def test_numbers_of_parts_run_out(three: list[Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_append, "PARTS_MAX", 2)
    upload_id = await three[0].start()
    await three[0].append(upload_id, DATA[: 2 * PART])
    with pytest.raises(LimitExceeded):
        await three[1].append(upload_id, DATA[:PART])


CHUNKS = 10_001
"""More than S3 takes parts of one upload."""


def test_more_chunks_than_s3_has_parts(s3: S3Server, tmp_path: Path) -> None:
    """Appends to the store alone: what their rows cost is the same for every store."""
    store, ledger = EncryptingBlobStore(s3.store(tmp_path / "spool")), MemoryLedger()
    location = Location("0123456789abcdef0123456789abcdef", Format.FRAMES, data_key=bytes(32))
    tail: Segment | None = None
    for number in range(CHUNKS):
        start, end = (len(DATA) * place // CHUNKS for place in (number, number + 1))
        with closing(store.append(location, start, tail, append_name(number + 1), ledger)) as writer:
            writer.write(memoryview(DATA)[start:end])
            appended = writer.finish()
        ledger.acknowledged = [piece for piece in ledger.acknowledged if piece not in appended.replaced]
        ledger.acknowledged += appended.segments
        for replaced in (*appended.replaced, *([tail] if tail else [])):
            store.remove_piece(location.storage_key, replaced.name)
        tail = appended.tail
    assert len(s3.object_keys()) <= s3_append.LOOSE_MAX + 1
    assert 0 < ledger.parts < 5
    assert store.publish(location, ledger.acknowledged, tail, ledger)
    assert hash_object(store, location, len(DATA), "sha256") == digest_of(DATA)
    store.discard(Staging(location.storage_key, CHUNKS, has_parts=True))
    assert s3.object_keys() == [f"blobs/01/{location.storage_key}"]
    assert s3.multiparts() == []


def test_listings_go_over_pages(s3: S3Server, tmp_path: Path) -> None:
    store = s3.store(tmp_path / "spool")
    keys = [f"{number:032x}" for number in range(1003)]
    for key in keys:
        store.make(Location(key), b"")
    assert [one.storage_key for one in store.list_objects()] == keys
    delete_objects(store.client, [object_key(key) for key in keys])
    assert list(store.list_objects()) == []
