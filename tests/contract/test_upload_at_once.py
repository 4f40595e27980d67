"""Small blobs that come whole with the request that completes their upload, against everything that may race them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.domain.error import LayerDigestMismatch, RangeInvalid, SizeInvalid, UploadNotFound
from entrepot.domain.limit import UPLOAD_LEASE_SECONDS, UPLOAD_LIFETIME_SECONDS
from entrepot.service.upload.at_once import AT_ONCE_BYTES
from entrepot.service.upload.row import location_of
from entrepot.store.blob.base import Location
from entrepot.store.metadata import upload as rows
from tests.support.bytes import APP, WEB, Worker, body, digest_of, keys_of
from tests.support.place import Files, Place
from tests.support.service import ACCOUNT, REGISTRY, Clock

DEADLINE = 20
DATA, OTHER = b"the whole blob", b"other bytes"


async def put(worker: Worker, upload_id: str, data: bytes, length: int | None = None) -> None:
    """A PUT with all bytes and their length."""
    length = len(data) if length is None else length
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(data), body([data]), None, length)


async def row_of(worker: Worker, upload_id: str) -> rows.UploadRow:
    row = await worker.database.read(lambda connection: rows.find_upload(connection, upload_id))
    assert row is not None
    return row


async def make(worker: Worker, upload_id: str, data: bytes) -> bool:
    """Leave an object as a process does that dies before its commit."""
    row = await row_of(worker, upload_id)
    return worker.storage.store.make(await location_of(worker.storage, row), data)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Local files: what machines share is published under a right, which test_s3_upload.py sees to."""
    return Files(tmp_path / "blobs")


class Delayed:
    """The first to make an object goes on only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, worker: Worker) -> None:
        self.made, self._go_on = threading.Event(), threading.Event()
        self._make: Callable[[Location, bytes], bool] = worker.storage.store.make
        monkeypatch.setattr(worker.storage.store, "make", self._wait)

    def _wait(self, location: Location, data: bytes) -> bool:
        made = self._make(location, data)
        self.made.set()
        assert self._go_on.wait(DEADLINE)
        return made

    async def begun(self) -> None:
        assert await asyncio.to_thread(self.made.wait, DEADLINE)

    def go_on(self) -> None:
        self._go_on.set()


@pytest.mark.parametrize("size", [0, 1, 1000, AT_ONCE_BYTES, AT_ONCE_BYTES + 1])
async def test_a_whole_blob_is_one_file_and_leaves_nothing_to_sweep(
    worker: Worker, place: Place, clock: Clock, size: int
) -> None:
    data = bytes(size)
    await put(worker, await worker.start(), data)
    assert await worker.pull(data) == data
    assert place.names() == await keys_of(worker.database)
    clock.forward(seconds=UPLOAD_LIFETIME_SECONDS + UPLOAD_LEASE_SECONDS + 1)
    swept = await worker.uploads.sweep()
    assert swept.uploads == 0
    if size <= AT_ONCE_BYTES:
        assert swept.objects == 0
        assert not place.is_staging_left()


async def test_a_wrong_digest_makes_no_object(worker: Worker, place: Place) -> None:
    upload_id = await worker.start()
    with pytest.raises(LayerDigestMismatch):
        await worker.uploads.complete(
            REGISTRY, APP, ACCOUNT, upload_id, digest_of(OTHER), body([DATA]), None, len(DATA)
        )
    assert place.names() == []
    await put(worker, upload_id, DATA)
    assert await worker.pull(DATA) == DATA


@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1])
async def test_another_length_than_announced(worker: Worker, place: Place, length: int) -> None:
    upload_id = await worker.start()
    with pytest.raises(SizeInvalid):
        await put(worker, upload_id, DATA, length)
    assert place.names() == []


async def test_other_bytes_left_under_the_key_are_replaced(workers: tuple[Worker, Worker], place: Place) -> None:
    first, second = workers
    upload_id = await first.start()
    assert await make(first, upload_id, OTHER)
    await put(second, upload_id, DATA)
    assert await first.pull(DATA) == DATA
    assert place.names() == await keys_of(first.database)


async def test_bytes_left_under_the_key_go_with_the_upload(worker: Worker, place: Place, clock: Clock) -> None:
    assert await make(worker, await worker.start(), OTHER)
    clock.forward(seconds=UPLOAD_LIFETIME_SECONDS + 1)
    assert (await worker.uploads.sweep()).uploads == 1
    clock.forward(seconds=UPLOAD_LEASE_SECONDS + 1)
    assert (await worker.uploads.sweep()).objects == 1
    assert place.names() == []


@pytest.mark.parametrize("other", [OTHER, b""])
async def test_who_comes_second_wins_with_the_lease(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch, other: bytes
) -> None:
    first, second = workers
    upload_id = await first.start()
    delayed = Delayed(monkeypatch, first)
    losing = asyncio.ensure_future(put(first, upload_id, DATA))
    await delayed.begun()
    if other:
        await put(second, upload_id, other)
    else:
        await second.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(b""))
    delayed.go_on()
    with pytest.raises(UploadNotFound):
        await losing
    assert await first.pull(other) == other


async def test_an_append_meanwhile_keeps_the_upload(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = workers
    upload_id = await first.start()
    delayed = Delayed(monkeypatch, first)
    losing = asyncio.ensure_future(put(first, upload_id, DATA))
    await delayed.begun()
    await second.append(upload_id, OTHER)
    delayed.go_on()
    with pytest.raises(RangeInvalid) as refused:
        await losing
    assert refused.value.offset == len(OTHER)
    await second.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(OTHER))
    assert await first.pull(OTHER) == OTHER


async def test_many_at_once_on_one_upload(workers: tuple[Worker, Worker], place: Place, clock: Clock) -> None:
    upload_id = await workers[0].start()
    puts = [put(workers[number % 2], upload_id, DATA) for number in range(8)]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert outcomes.count(None) == 1, outcomes
    assert {type(outcome) for outcome in outcomes if outcome} <= {UploadNotFound, RangeInvalid}
    assert await workers[1].pull(DATA) == DATA
    clock.forward(seconds=UPLOAD_LEASE_SECONDS + 1)
    await workers[0].uploads.sweep()
    assert place.names() == await keys_of(workers[0].database)


async def test_the_same_blob_by_many_uploads_is_kept_once(
    workers: tuple[Worker, Worker], place: Place, clock: Clock
) -> None:
    ids = [await workers[number % 2].start() for number in range(6)]
    await asyncio.gather(*(put(workers[number % 2], upload_id, DATA) for number, upload_id in enumerate(ids)))
    clock.forward(seconds=UPLOAD_LEASE_SECONDS + 1)
    assert (await workers[0].uploads.sweep()).objects == 5
    assert len(await keys_of(workers[0].database)) == 1
    assert place.names() == await keys_of(workers[0].database)
    assert await workers[0].pull(DATA) == DATA


async def test_a_blob_that_another_repository_holds_is_linked(worker: Worker) -> None:
    await worker.push(DATA, WEB)
    await put(worker, await worker.start(), DATA)
    assert await worker.pull(DATA) == DATA
    assert len(await keys_of(worker.database)) == 1
