"""Uploads on both database engines and in both formats, by one worker and by two."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from entrepot.domain.digest import EMPTY_SHA256
from entrepot.domain.error import (
    DigestInvalid,
    LayerDigestMismatch,
    RangeInvalid,
    RepositoryNotFound,
    SizeInvalid,
    StorageFull,
    TooManyUploads,
    UploadNotFound,
)
from entrepot.domain.limit import UPLOAD_LEASE_SECONDS, UPLOAD_LIFETIME_SECONDS
from entrepot.domain.principal import root_of
from entrepot.domain.repository import RepositoryName
from entrepot.domain.upload import UploadKind
from entrepot.service.repository import RepositoryService
from entrepot.service.upload import intake
from entrepot.store.blob.base import Staging
from entrepot.store.metadata.base import to_micros
from entrepot.store.metadata.doomed import doom
from tests.support.bytes import APP, WEB, Worker, body, digest_of, keys_of
from tests.support.place import Files, Place
from tests.support.service import ACCOUNT, REGISTRY, Clock

FRAME = 262_144
OTHER_ACCOUNT = "210987654321"


class Broken(Exception):
    """What a request body raises when its client goes away."""


async def complete(worker: Worker, upload_id: str, data: bytes) -> None:
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(data))


async def offset_of(worker: Worker, upload_id: str) -> int:
    return (await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)).offset


@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1, 1_500_000])
async def test_docker_pushes_a_layer(worker: Worker, size: int) -> None:
    data = os.urandom(size)
    await worker.push(data)
    assert await worker.pull(data) == data
    assert await worker.pull(data, size // 3, size // 2) == data[size // 3 : size // 2]


async def test_nothing_is_staged_after_a_push(worker: Worker, place: Place) -> None:
    await worker.push(os.urandom(FRAME + 5))
    assert place.names() == await keys_of(worker.database)


async def test_whole_blob_in_one_put(worker: Worker) -> None:
    data = os.urandom(2 * FRAME + 7)
    upload_id = await worker.start()
    chunks = [data[:5], data[5:FRAME], data[FRAME:]]
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(data), body(chunks), None, len(data))
    assert await worker.pull(data) == data


async def test_empty_body_of_unknown_length_completes(worker: Worker) -> None:
    upload_id = await worker.start()
    await worker.append(upload_id, b"all")
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(b"all"), body([]))
    assert await worker.pull(b"all") == b"all"


async def test_empty_blob_has_the_digest_of_nothing(worker: Worker) -> None:
    upload_id = await worker.start()
    with pytest.raises(LayerDigestMismatch):
        await complete(worker, upload_id, b"something")
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, EMPTY_SHA256)
    assert await worker.pull(b"") == b""


async def test_patches_alternate_between_workers(workers: tuple[Worker, Worker]) -> None:
    data = os.urandom(3 * FRAME + 100)
    upload_id = await workers[0].start()
    cuts = [0, 10, FRAME, FRAME + 1, 2 * FRAME + 50, len(data)]
    for place, (low, high) in enumerate(itertools.pairwise(cuts)):
        assert await workers[place % 2].append(upload_id, data[low:high]) == high
    await complete(workers[1], upload_id, data)
    assert await workers[0].pull(data) == data


@pytest.mark.parametrize("completes_with_body", [False, True])
async def test_other_hash_is_asked_for_only_at_the_end(worker: Worker, completes_with_body: bool) -> None:
    data = os.urandom(FRAME + 100)
    upload_id = await worker.start()
    await worker.append(upload_id, data[: -50 if completes_with_body else None])
    wanted = digest_of(data, "sha512")
    last = body([data[-50:]]) if completes_with_body else None
    with pytest.raises(LayerDigestMismatch):
        await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(b"x", "sha512"))
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, wanted, last)
    view = await worker.blobs.view(ACCOUNT, REGISTRY, APP, wanted)
    assert view.blob is not None
    assert view.blob.size_bytes == len(data)


async def test_upload_of_sha512_from_the_start(worker: Worker) -> None:
    upload = await worker.uploads.start(REGISTRY, APP, root_of(ACCOUNT), UploadKind.OCI, "sha512")
    await worker.append(upload.id, b"data")
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload.id, digest_of(b"data", "sha512"))
    with pytest.raises(DigestInvalid):
        await worker.uploads.start(REGISTRY, APP, root_of(ACCOUNT), UploadKind.OCI, "md5")


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────


async def test_wrong_digest_leaves_the_upload_as_it_was(worker: Worker) -> None:
    data = os.urandom(FRAME + 5)
    upload_id = await worker.start()
    await worker.append(upload_id, data)
    with pytest.raises(LayerDigestMismatch):
        await complete(worker, upload_id, b"other")
    with pytest.raises(LayerDigestMismatch):
        await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(data), body([b"more"]))
    assert await offset_of(worker, upload_id) == len(data)
    await complete(worker, upload_id, data)
    assert await worker.pull(data) == data


async def test_wrong_digest_found_by_reading_again(workers: tuple[Worker, Worker]) -> None:
    data = os.urandom(FRAME + 5)
    upload_id = await workers[0].start()
    await workers[0].append(upload_id, data[:100])
    await workers[1].append(upload_id, data[100:])
    with pytest.raises(LayerDigestMismatch):
        await complete(workers[0], upload_id, b"other")
    await workers[0].append(upload_id, b"more")
    await complete(workers[0], upload_id, data + b"more")
    assert await workers[1].pull(data + b"more") == data + b"more"


async def test_chunk_that_starts_elsewhere(worker: Worker) -> None:
    upload_id = await worker.start()
    await worker.append(upload_id, b"12345")
    upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    for start in (0, 4, 6):
        with pytest.raises(RangeInvalid) as refused:
            await worker.uploads.append(upload, body([b"x"]), start, 1)
        assert refused.value.offset == 5
        with pytest.raises(RangeInvalid):
            await worker.uploads.complete(
                REGISTRY, APP, ACCOUNT, upload_id, digest_of(b"12345x"), body([b"x"]), start, 1
            )
    assert (await worker.uploads.append(upload, body([b"678"]), 5, 3)).offset == 8
    await complete(worker, upload_id, b"12345678")


@pytest.mark.parametrize("length", [0, 2, 4])
async def test_body_of_another_length_than_announced(worker: Worker, length: int) -> None:
    upload_id = await worker.start()
    upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    with pytest.raises(SizeInvalid):
        await worker.uploads.append(upload, body([b"123"]), 0, length)
    with pytest.raises(SizeInvalid):
        await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(b"123"), body([b"123"]), 0, length)
    assert await offset_of(worker, upload_id) == 0


async def test_layer_too_large(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "LAYER_BYTES_MAX", 10)
    upload_id = await worker.start()
    assert await worker.append(upload_id, b"12345678") == 8
    with pytest.raises(SizeInvalid):
        await worker.append(upload_id, b"90", b"1")
    assert await worker.append(upload_id, b"90") == 10


async def test_body_that_breaks_off_is_kept_as_far_as_it_came(worker: Worker) -> None:
    data = os.urandom(2 * FRAME + 9)
    upload_id = await worker.start()
    upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    with pytest.raises(Broken):
        await worker.uploads.append(upload, body([data[: FRAME + 5]], Broken()), 0, len(data))
    assert await offset_of(worker, upload_id) == FRAME + 5
    with pytest.raises(Broken):
        await worker.uploads.complete(
            REGISTRY, APP, ACCOUNT, upload_id, digest_of(data), body([data[FRAME + 5 : -1]], Broken())
        )
    await worker.append(upload_id, data[-1:])
    await complete(worker, upload_id, data)
    assert await worker.pull(data) == data


async def test_one_principal_has_so_many_uploads_open_and_no_more(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.service.upload.UPLOADS_PER_PRINCIPAL_MAX", 3)
    opened = [await worker.start(name=name) for name in (APP, APP, WEB)]
    for name in (APP, WEB):
        with pytest.raises(TooManyUploads):
            await worker.start(name=name)
    await worker.uploads.start(REGISTRY, APP, replace(root_of(ACCOUNT), unique_id="AIDA"), UploadKind.OCI)
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, opened[0], digest_of(b""))
    await worker.start()
    await worker.uploads.cancel(REGISTRY, APP, ACCOUNT, opened[1])
    await worker.start()
    with pytest.raises(TooManyUploads):
        await worker.start()


async def test_upload_works_only_in_its_repository_and_for_its_account(worker: Worker) -> None:
    upload_id = await worker.start()
    for name, account_id, named in (
        (WEB, ACCOUNT, upload_id),
        (APP, OTHER_ACCOUNT, upload_id),
        (APP, ACCOUNT, upload_id.replace("-", "0")),
        (APP, ACCOUNT, "x"),
    ):
        with pytest.raises(UploadNotFound):
            await worker.uploads.find(REGISTRY, name, account_id, named)
        with pytest.raises(UploadNotFound):
            await worker.uploads.complete(REGISTRY, name, account_id, named, EMPTY_SHA256)
        with pytest.raises(UploadNotFound):
            await worker.uploads.cancel(REGISTRY, name, account_id, named)
    missing = RepositoryName("no/such")
    with pytest.raises(RepositoryNotFound):
        await worker.uploads.find(REGISTRY, missing, ACCOUNT, upload_id)
    with pytest.raises(RepositoryNotFound):
        await worker.uploads.start(REGISTRY, missing, root_of(ACCOUNT), UploadKind.OCI)


async def test_full_disk_refuses_and_the_upload_goes_on_later(
    worker: Worker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3 * FRAME)
    upload_id = await worker.start()
    await worker.append(upload_id, data[:100])
    disk = worker.storage.store._inner  # type: ignore[attr-defined]
    with monkeypatch.context() as full:
        full.setattr(
            *((disk, "_reserve_bytes") if isinstance(place, Files) else (disk.spool, "reserve_bytes")), 1 << 62
        )
        with pytest.raises(StorageFull):
            await worker.append(upload_id, data[100:])
        with pytest.raises(StorageFull):
            await worker.start()
    with monkeypatch.context() as full:
        for call in ("write", "pwrite"):
            full.setattr(os, call, _no_space)
        with pytest.raises(StorageFull):
            await worker.append(upload_id, data[100:])
    assert await offset_of(worker, upload_id) == 100
    await worker.append(upload_id, data[100:])
    await complete(worker, upload_id, data)
    assert await worker.pull(data) == data


def _no_space(fd: int, data: bytes, at: int = 0) -> int:
    raise OSError(28, os.strerror(28))


async def test_acknowledged_bytes_that_are_gone_end_the_session(workers: tuple[Worker, Worker], place: Place) -> None:
    upload_id = await workers[0].start()
    await workers[0].append(upload_id, os.urandom(FRAME + 5))
    place.cut()
    with pytest.raises(UploadNotFound):
        await offset_of(workers[1], upload_id)
    with pytest.raises(UploadNotFound):
        await workers[1].append(upload_id, b"more")


async def test_bytes_gone_at_the_end(worker: Worker, place: Place) -> None:
    data = os.urandom(FRAME + 5)
    upload_id = await worker.start()
    await worker.append(upload_id, data)
    place.clear()
    with pytest.raises(UploadNotFound):
        await complete(worker, upload_id, data)


# ── several at once ──────────────────────────────────────────────────────────────────────────


async def slow(first: bytes, started: asyncio.Event, go_on: asyncio.Event, last: bytes) -> AsyncIterator[bytes]:
    yield first
    started.set()
    await go_on.wait()
    yield last


async def test_last_writer_to_begin_wins(workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    upload_id = await one.start()
    await one.append(upload_id, b"begin-")
    upload = await one.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    started, go_on = asyncio.Event(), asyncio.Event()
    loser = asyncio.create_task(one.uploads.append(upload, slow(b"x" * 2 * FRAME, started, go_on, b"x")))
    await asyncio.wait_for(started.wait(), 10)
    winner = b"y" * (FRAME + 5)
    assert await two.append(upload_id, winner) == 6 + len(winner)
    go_on.set()
    with pytest.raises(RangeInvalid) as lost:
        await loser
    assert lost.value.offset == 6 + len(winner)
    await complete(one, upload_id, b"begin-" + winner)
    assert await two.pull(b"begin-" + winner) == b"begin-" + winner


async def test_refused_range_takes_no_lease(worker: Worker) -> None:
    upload_id = await worker.start()
    upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    started, go_on = asyncio.Event(), asyncio.Event()
    writer = asyncio.create_task(worker.uploads.append(upload, slow(b"ab", started, go_on, b"cd")))
    await asyncio.wait_for(started.wait(), 10)
    with pytest.raises(RangeInvalid):
        await worker.uploads.append(upload, body([b"x"]), 7, 1)
    go_on.set()
    assert (await writer).offset == 4


async def test_cancelled_append_changes_nothing(worker: Worker) -> None:
    upload_id = await worker.start()
    await worker.append(upload_id, b"before-")
    upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    started, never = asyncio.Event(), asyncio.Event()
    writer = asyncio.create_task(worker.uploads.append(upload, slow(b"x" * 3 * FRAME, started, never, b"")))
    await asyncio.wait_for(started.wait(), 10)
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    assert await worker.append(upload_id, b"after") == 12
    await complete(worker, upload_id, b"before-after")
    assert await worker.pull(b"before-after") == b"before-after"


async def test_append_while_completing_is_not_acknowledged(workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    data = os.urandom(FRAME + 5)
    upload_id = await one.start()
    await one.append(upload_id, data)
    upload = await two.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    started, go_on = asyncio.Event(), asyncio.Event()
    writer = asyncio.create_task(two.uploads.append(upload, slow(b"x" * 2 * FRAME, started, go_on, b"y")))
    await asyncio.wait_for(started.wait(), 10)
    await complete(one, upload_id, data)
    go_on.set()
    with pytest.raises(UploadNotFound):
        await writer
    assert await two.pull(data) == data


async def test_only_one_of_many_completes(workers: tuple[Worker, Worker], place: Place) -> None:
    data = os.urandom(FRAME + 5)
    upload_id = await workers[0].start()
    await workers[0].append(upload_id, data)
    outcomes = await asyncio.gather(
        *(complete(worker, upload_id, data) for worker in workers * 6), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, UploadNotFound) for outcome in outcomes) == 11
    assert await workers[1].pull(data) == data
    assert place.names() == await keys_of(workers[0].database)


async def test_same_layer_pushed_many_times_at_once_is_kept_once(
    workers: tuple[Worker, Worker], place: Place, clock: Clock
) -> None:
    data = os.urandom(FRAME + 5)
    await asyncio.gather(*(worker.push(data, name) for worker in workers for name in (APP, WEB, APP)))
    assert await workers[0].pull(data) == await workers[1].pull(data, name=WEB) == data
    keys = await keys_of(workers[0].database)
    assert len(keys) == 1
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    swept = await workers[0].uploads.sweep()
    assert swept.objects == 6
    assert place.names() == keys


# ── sweeping ─────────────────────────────────────────────────────────────────────────────────


async def test_cancelled_upload_leaves_nothing(worker: Worker, place: Place, clock: Clock) -> None:
    upload_id = await worker.start()
    await worker.append(upload_id, os.urandom(FRAME + 5))
    await worker.uploads.cancel(REGISTRY, APP, ACCOUNT, upload_id)
    with pytest.raises(UploadNotFound):
        await offset_of(worker, upload_id)
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await worker.uploads.sweep(clock.now)
    assert place.names() == []
    assert not place.is_staging_left()


async def test_progress_pushes_the_expiry(workers: tuple[Worker, Worker], place: Place, clock: Clock) -> None:
    worker = workers[0]
    upload_id = await worker.start()
    clock.forward(seconds=UPLOAD_LIFETIME_SECONDS - 1)
    await worker.append(upload_id, os.urandom(FRAME + 5))
    clock.forward(seconds=UPLOAD_LIFETIME_SECONDS - 1)
    assert (await worker.uploads.sweep()).uploads == 0
    assert await offset_of(worker, upload_id) == FRAME + 5
    clock.forward(seconds=1)
    swept = await asyncio.gather(*(each.uploads.sweep() for each in workers))
    assert sum(each.uploads for each in swept) == 1
    with pytest.raises(UploadNotFound):
        await offset_of(worker, upload_id)
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await asyncio.gather(*(each.uploads.sweep() for each in workers))
    assert place.names() == []
    assert (await worker.uploads.sweep()).objects == 0


async def test_store_that_refuses_to_delete_is_asked_again(
    worker: Worker, place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = await worker.start()
    await worker.append(upload_id, b"data")
    await worker.uploads.cancel(REGISTRY, APP, ACCOUNT, upload_id)
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    with monkeypatch.context() as refusing:
        refusing.setattr(worker.storage.store, "delete", _refuse)
        assert (await worker.uploads.sweep()).objects == 0
    assert (await worker.uploads.sweep()).objects == 1
    assert place.names() == []


async def test_one_sweep_frees_everything_but_what_the_store_will_not_let_go_of(
    worker: Worker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much was deleted, and however many objects at the head of the queue cannot be removed."""
    monkeypatch.setattr(importlib.import_module("entrepot.service.upload.sweep"), "BATCH", 4)
    stuck, rest = [f"stuck-{n:04}" for n in range(6)], [f"later-{n:04}" for n in range(100)]
    delete, due = worker.storage.store.delete, to_micros(clock.now)

    def delete_some(staging: Staging) -> None:
        _refuse() if staging.storage_key in stuck else delete(staging)

    def doom_all(connection: Connection) -> None:
        for place, key in enumerate(stuck + rest):
            doom(connection, Staging(key), worker.storage.store.name, due + place // 10)

    await worker.database.write(doom_all)
    clock.forward(seconds=1)
    monkeypatch.setattr(worker.storage.store, "delete", delete_some)
    assert (await worker.uploads.sweep()).objects == len(rest)


async def test_push_counts_even_if_staging_cannot_be_removed(
    worker: Worker, place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(FRAME + 5)
    with monkeypatch.context() as refusing:
        refusing.setattr(worker.storage.store, "discard", _refuse)
        refusing.setattr(worker.storage.store, "remove_piece", _refuse)
        upload_id = await worker.start()
        assert await worker.append(upload_id, data[:5]) == 5
        assert await worker.append(upload_id, data[5:]) == len(data)
        await complete(worker, upload_id, data)
    assert await worker.pull(data) == data
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    assert (await worker.uploads.sweep()).objects == 1
    assert place.names() == await keys_of(worker.database)


def _refuse(*_: object) -> None:
    raise PermissionError


async def test_deleted_repository_takes_its_uploads(
    worker: Worker, repositories: RepositoryService, place: Place, clock: Clock
) -> None:
    upload_id = await worker.start()
    await worker.append(upload_id, os.urandom(FRAME + 5))
    upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    started, go_on = asyncio.Event(), asyncio.Event()
    writer = asyncio.create_task(worker.uploads.append(upload, slow(b"x" * 2 * FRAME, started, go_on, b"y")))
    await asyncio.wait_for(started.wait(), 10)
    await repositories.delete(REGISTRY, APP, force=True)
    go_on.set()
    with pytest.raises(UploadNotFound):
        await writer
    with pytest.raises(RepositoryNotFound):
        await complete(worker, upload_id, b"")
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    await worker.uploads.sweep()
    assert place.names() == []


async def test_digest_of_another_algorithm_is_a_blob_of_its_own(worker: Worker) -> None:
    data = b"both"
    for digest in (digest_of(data), digest_of(data, "sha512")):
        upload_id = await worker.start()
        await worker.append(upload_id, data)
        assert await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest) == digest
    assert len(await keys_of(worker.database)) == 2
