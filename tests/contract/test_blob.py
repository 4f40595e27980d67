"""Blobs and their links on both database engines: promises, mounts, unlinking, availability, download URLs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from sqlalchemy import Connection, insert, select, update

from entrepot.domain.blob import BlobDamaged, LayerAvailability
from entrepot.domain.digest import Digest
from entrepot.domain.error import (
    AccessDenied,
    BlobNotFound,
    BlobReferenced,
    LayersNotFound,
    RepositoryNotFound,
    TokenExpired,
)
from entrepot.domain.limit import BLOB_PROMISE_SECONDS, DOWNLOAD_URL_LIFETIME_SECONDS
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.domain.view import BlobView
from entrepot.service.identity import IdentityService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import to_micros
from tests.support.bytes import APP, WEB, Worker, digest_of
from tests.support.place import Place
from tests.support.service import ACCOUNT, REGISTRY, Clock

DATA = b"layer"
LAYER = digest_of(DATA)
MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
OTHER_ACCOUNT = "210987654321"
MISSING = RepositoryName("no/such")


async def view(worker: Worker, name: RepositoryName = APP, digest: Digest = LAYER) -> BlobView:
    return await worker.blobs.view(ACCOUNT, REGISTRY, name, digest)


async def reference(worker: Worker, name: RepositoryName = APP) -> None:
    """Have a manifest of the repository name the layer."""
    found = await view(worker, name)
    assert found.blob
    assert found.repository
    repository_id, blob_id = found.repository.id, found.blob.id

    def change(connection: Connection) -> None:
        manifest = {
            "repository_id": repository_id, "digest": "sha256:m", "media_type": "m", "size_bytes": 2,
            "image_size_bytes": 5, "status": "ACTIVE", "pushed_at": 1, "raw": b"{}",
        }  # fmt: skip
        manifest_id = connection.scalar(insert(schema.manifest).values(manifest).returning(schema.manifest.c.id))
        row = {"manifest_id": manifest_id, "position": 0, "kind": "layer", "repository_id": repository_id}
        connection.execute(insert(schema.manifest_reference).values(**row, blob_id=blob_id, media_type=MEDIA_TYPE))

    await worker.database.write(change)


async def keep_until(worker: Worker) -> int:
    statement = select(schema.repository_blob.c.keep_until)
    return int(await worker.database.read(lambda c: c.execute(statement).scalar_one()))


async def refuse_writes(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(change: object) -> None:
        raise AssertionError("a write")

    monkeypatch.setattr(worker.database, "write", refuse)


# ── promises ─────────────────────────────────────────────────────────────────────────────────


async def test_an_upload_is_promised_for_an_hour(worker: Worker, clock: Clock) -> None:
    await worker.push(DATA)
    found = (await view(worker)).blob
    assert found
    assert found.keep_until >= clock.now + timedelta(seconds=BLOB_PROMISE_SECONDS)
    assert not found.is_referenced


async def test_promise_is_renewed_only_when_less_than_an_hour_is_left(
    worker: Worker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.push(DATA)
    with monkeypatch.context() as patched:
        await refuse_writes(worker, patched)
        await worker.blobs.promise(await view(worker))
        await worker.blobs.check_layers(REGISTRY, APP, [LAYER])
    for ask in ("head", "check"):
        clock.forward(hours=3)
        if ask == "head":
            await worker.blobs.promise(await view(worker))
        else:
            await worker.blobs.check_layers(REGISTRY, APP, [LAYER])
        assert await keep_until(worker) >= to_micros(clock.now + timedelta(seconds=BLOB_PROMISE_SECONDS))


async def test_referenced_blob_needs_no_promise(worker: Worker, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    await worker.push(DATA)
    await reference(worker)
    clock.forward(hours=100)
    await refuse_writes(worker, monkeypatch)
    await worker.blobs.promise(await view(worker))
    await worker.blobs.promise(await view(worker, WEB))
    await worker.blobs.check_layers(REGISTRY, APP, [LAYER])


async def test_pushing_again_renews_the_promise(worker: Worker, clock: Clock) -> None:
    await worker.push(DATA)
    clock.forward(hours=100)
    await worker.push(DATA)
    assert await keep_until(worker) >= to_micros(clock.now + timedelta(seconds=BLOB_PROMISE_SECONDS))


# ── links ────────────────────────────────────────────────────────────────────────────────────


async def test_mount(worker: Worker) -> None:
    await worker.push(DATA)
    assert (await view(worker, WEB)).blob is None
    assert await worker.blobs.mount(REGISTRY, WEB, APP, LAYER)
    assert await worker.blobs.mount(REGISTRY, WEB, APP, LAYER)
    assert await worker.pull(DATA, name=WEB) == DATA


async def test_failed_mounts_look_alike(worker: Worker, repositories: RepositoryService) -> None:
    await worker.push(DATA)
    elsewhere = Registry(ACCOUNT, "eu-west-1")
    await repositories.create(elsewhere, WEB, RepositorySettings(), {})
    assert not await worker.blobs.mount(REGISTRY, WEB, MISSING, LAYER)
    assert not await worker.blobs.mount(REGISTRY, MISSING, APP, LAYER)
    assert not await worker.blobs.mount(REGISTRY, WEB, APP, digest_of(b"other"))
    assert not await worker.blobs.mount(elsewhere, WEB, APP, LAYER)
    assert (await worker.blobs.view(ACCOUNT, elsewhere, WEB, LAYER)).blob is None


async def test_blob_of_another_account_stays_unknown(
    worker: Worker, repositories: RepositoryService, identity_service: IdentityService
) -> None:
    other = Registry(OTHER_ACCOUNT, "us-east-1")
    await identity_service.ensure_account(OTHER_ACCOUNT, "other")
    await repositories.create(other, APP, RepositorySettings(), {})
    await worker.push(DATA)
    assert (await worker.blobs.view(OTHER_ACCOUNT, other, APP, LAYER)).blob is None
    assert await worker.blobs.check_layers(other, APP, [LAYER]) == [LayerAvailability(LAYER, False)]


async def test_unlink(worker: Worker) -> None:
    await worker.push(DATA)
    await worker.blobs.mount(REGISTRY, WEB, APP, LAYER)
    await reference(worker, WEB)
    await worker.blobs.unlink(REGISTRY, APP, LAYER)
    assert (await view(worker)).blob is None
    assert await worker.pull(DATA, name=WEB) == DATA
    with pytest.raises(BlobReferenced):
        await worker.blobs.unlink(REGISTRY, WEB, LAYER)
    with pytest.raises(BlobNotFound):
        await worker.blobs.unlink(REGISTRY, APP, LAYER)
    with pytest.raises(RepositoryNotFound):
        await worker.blobs.unlink(REGISTRY, MISSING, LAYER)


async def test_availability(worker: Worker) -> None:
    await worker.push(DATA)
    await worker.push(b"config", WEB)
    unknown, foreign = digest_of(b"unknown"), digest_of(b"config")
    assert await worker.blobs.check_layers(REGISTRY, APP, [unknown, LAYER, foreign]) == [
        LayerAvailability(unknown, False),
        LayerAvailability(LAYER, True, len(DATA)),
        LayerAvailability(foreign, False),
    ]
    await reference(worker)
    assert await worker.blobs.check_layers(REGISTRY, APP, [LAYER]) == [
        LayerAvailability(LAYER, True, len(DATA), MEDIA_TYPE)
    ]
    with pytest.raises(RepositoryNotFound):
        await worker.blobs.check_layers(REGISTRY, MISSING, [LAYER])


# ── reading ──────────────────────────────────────────────────────────────────────────────────


async def test_ranges(worker: Worker) -> None:
    data = os.urandom(3 * 1024 * 1024 + 77)
    await worker.push(data)
    end = len(data)
    for start, stop in ((0, 1), (262_143, 262_145), (1_000_000, 2_500_000), (end - 1, end), (end, end), (5, 5)):
        assert await worker.pull(data, start, stop) == data[start:stop]
    assert await worker.pull(data, end - 100) == data[-100:]


async def test_cold_bytes_are_read_in_a_thread(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(600_000)
    await worker.push(data)
    monkeypatch.setattr(os, "preadv", _never_at_hand(os.preadv))
    assert await worker.pull(data) == data


def _never_at_hand(preadv: Callable[..., int]) -> Callable[..., int]:
    def cold(fd: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags & os.RWF_NOWAIT:
            raise BlockingIOError
        return preadv(fd, buffers, offset, flags)

    return cold


async def test_damaged_bytes_break_off(worker: Worker, place: Place, is_encrypting: bool) -> None:
    data = os.urandom(2 * 1024 * 1024)
    await worker.push(data)
    found = (await view(worker, digest=digest_of(data))).blob
    assert found
    if is_encrypting:
        place.damage(-40)
        pieces = worker.blobs.open(found)
        assert await anext(pieces) == data[: 1024 * 1024]
        with pytest.raises(BlobDamaged):
            await anext(pieces)
    place.cut()
    with pytest.raises(BlobDamaged):
        await worker.pull(data)
    place.clear()
    with pytest.raises(BlobDamaged):
        await worker.pull(data)


async def test_reading_that_stops_early_leaves_nothing_open(worker: Worker) -> None:
    data = os.urandom(3 * 1024 * 1024)
    await worker.push(data)
    found = (await view(worker, digest=digest_of(data))).blob
    assert found
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    pieces = worker.blobs.open(found)
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def test_bytes_on_disk_are_encrypted(worker: Worker, place: Place, is_encrypting: bool) -> None:
    data = b"secret words, over and over " * 20_000
    upload_id = await worker.start()
    await worker.append(upload_id, data[:300_000])
    await worker.append(upload_id, data[300_000:])
    staged = place.read_all()
    assert (b"secret words" in staged) is not is_encrypting


async def test_two_rows_cannot_swap_their_bytes(worker: Worker, is_encrypting: bool) -> None:
    await worker.push(b"first")
    await worker.push(b"other")
    table = schema.blob
    rows = await worker.database.read(
        lambda c: c.execute(select(table.c.id, table.c.storage_key, table.c.digest).order_by(table.c.id)).all()
    )

    def swap(connection: Connection) -> None:
        for row, key in ((rows[0], "parked"), (rows[1], rows[0].storage_key), (rows[0], rows[1].storage_key)):
            connection.execute(update(table).where(table.c.id == row.id).values(storage_key=key))

    await worker.database.write(swap)
    if is_encrypting:
        with pytest.raises(Exception, match="blob-key"):
            await worker.pull(b"first")
    else:
        assert await worker.pull(b"first") == b"other"  # without encryption, only a verification would tell


# ── download URLs ────────────────────────────────────────────────────────────────────────────


async def test_download_url(worker: Worker, clock: Clock) -> None:
    await worker.push(DATA)
    with pytest.raises(LayersNotFound):
        await worker.blobs.sign_download(REGISTRY, APP, LAYER)
    await reference(worker)
    path, _, query = (await worker.blobs.sign_download(REGISTRY, APP, LAYER)).partition("?")
    assert path == f"/layers/{ACCOUNT}/us-east-1/{LAYER}"
    assert worker.blobs.verify_download(path, query, clock.now) == (REGISTRY, APP, LAYER)
    later = clock.now + timedelta(seconds=DOWNLOAD_URL_LIFETIME_SECONDS)
    with pytest.raises(TokenExpired):
        worker.blobs.verify_download(path, query, later)
    fields = dict(parse_qsl(query))
    changed = [
        (path.replace("us-east-1", "us-east-2"), fields),
        (path.replace(str(LAYER), str(digest_of(b"other"))), fields),
        (path, fields | {"repository": WEB}),
        (path, fields | {"expires": str(int(fields["expires"]) + 1)}),
        (path, fields | {"key": "other"}),
        (path, fields | {"signature": fields["signature"][:-1]}),
    ]
    for other_path, other_fields in changed:
        with pytest.raises(AccessDenied):
            worker.blobs.verify_download(other_path, urlencode(other_fields), clock.now)


async def test_url_of_one_worker_works_on_another(workers: tuple[Worker, Worker], clock: Clock) -> None:
    await workers[0].push(DATA)
    await reference(workers[0])
    path, _, query = (await workers[0].blobs.sign_download(REGISTRY, APP, LAYER)).partition("?")
    assert workers[1].blobs.verify_download(path, query, clock.now) == (REGISTRY, APP, LAYER)


async def test_url_for_what_is_not_there(worker: Worker) -> None:
    with pytest.raises(LayersNotFound):
        await worker.blobs.sign_download(REGISTRY, APP, LAYER)
    with pytest.raises(RepositoryNotFound):
        await worker.blobs.sign_download(REGISTRY, MISSING, LAYER)


async def test_mount_and_unlink_of_the_source_at_once(workers: tuple[Worker, Worker]) -> None:
    await workers[0].push(DATA)
    mounted, _ = await asyncio.gather(
        workers[0].blobs.mount(REGISTRY, WEB, APP, LAYER), workers[1].blobs.unlink(REGISTRY, APP, LAYER)
    )
    assert ((await view(workers[0], WEB)).blob is not None) is mounted
