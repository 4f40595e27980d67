"""The collector: what nothing keeps goes, what something keeps stays, and a run costs what the garbage is."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select

from entrepot.domain.error import BlobNotFound
from entrepot.domain.limit import UPLOAD_LEASE_SECONDS
from entrepot.domain.promise import BlobPromise
from entrepot.domain.reference import Tag
from entrepot.service.context import Context
from entrepot.service.garbage import Collected, GarbageService
from entrepot.service.image import ImageService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import collection_hold, maintenance, schema
from entrepot.store.metadata import garbage as rows
from entrepot.store.metadata.base import to_micros
from entrepot.store.metadata.garbage import Survey
from tests.support.bytes import APP, WEB, Worker, digest_of, keys_of
from tests.support.image import image_manifest
from tests.support.place import Place
from tests.support.service import ACCOUNT, REGISTRY, Clock

DATA, CONFIG = b"layer" * 100, b"{}"


@pytest.fixture
def garbage(worker: Worker, context: Context) -> GarbageService:
    return GarbageService(worker.database, context)


@pytest.fixture
def images(worker: Worker, context: Context) -> ImageService:
    return ImageService(worker.database, context)


async def push_image(worker: Worker, images: ImageService, *layers: bytes, tag: str = "v1") -> None:
    for data in (CONFIG, *layers):
        await worker.push(data)
    raw = image_manifest(CONFIG, layers)
    await images.put(REGISTRY, APP, raw, declared_type=None, tags=[Tag(tag)], digest=None, is_idempotent=True)


async def holds(worker: Worker, data: bytes, name: Any = APP) -> bool:
    return (await worker.blobs.view(ACCOUNT, REGISTRY, name, digest_of(data))).blob is not None


async def free_bytes(worker: Worker, clock: Clock) -> None:
    clock.forward(minutes=10)
    await worker.uploads.sweep()


async def test_an_unreferenced_blob_goes_when_its_promise_is_over(
    worker: Worker, garbage: GarbageService, clock: Clock, place: Place
) -> None:
    await worker.push(DATA)
    clock.forward(minutes=119)
    assert (await garbage.collect()).links == 0
    assert await worker.pull(DATA) == DATA
    clock.forward(minutes=1)
    assert await garbage.survey() == Survey(1, 1, len(DATA))
    done = await garbage.collect()
    assert (done.links, done.blobs, done.size_bytes, done.is_held) == (1, 1, len(DATA), False)
    assert not await holds(worker, DATA)
    await free_bytes(worker, clock)
    assert place.names() == []
    assert await garbage.survey() == Survey(0, 0, 0)


async def test_what_an_image_references_stays_until_it_is_deleted(
    worker: Worker, garbage: GarbageService, images: ImageService, clock: Clock, place: Place
) -> None:
    await push_image(worker, images, DATA)
    for _ in range(2):
        clock.forward(days=1)
        assert (await garbage.collect()).blobs == 0
        assert await worker.pull(DATA) == DATA
    await images.delete(REGISTRY, APP, Tag("v1"))
    assert (await garbage.collect()).blobs == 0
    clock.forward(hours=2)
    assert (await garbage.collect()).blobs == 2
    await free_bytes(worker, clock)
    assert place.names() == []


async def test_a_layer_that_another_image_shares_stays(
    worker: Worker, garbage: GarbageService, images: ImageService, clock: Clock
) -> None:
    await push_image(worker, images, DATA, b"own", tag="v1")
    await push_image(worker, images, DATA, tag="v2")
    clock.forward(days=1)
    await garbage.collect()
    await images.delete(REGISTRY, APP, Tag("v1"))
    clock.forward(days=1)
    assert (await garbage.collect()).blobs == 1
    assert await worker.pull(DATA) == DATA
    assert not await holds(worker, b"own")


async def test_a_blob_that_two_repositories_hold_goes_with_the_last(
    worker: Worker, garbage: GarbageService, clock: Clock
) -> None:
    await worker.push(DATA)
    clock.forward(hours=1)
    assert await worker.blobs.mount(REGISTRY, WEB, APP, digest_of(DATA))
    clock.forward(hours=1)
    done = await garbage.collect()
    assert (done.links, done.blobs) == (1, 0)
    assert not await holds(worker, DATA)
    assert await worker.pull(DATA, name=WEB) == DATA
    clock.forward(hours=1)
    assert (await garbage.collect()).blobs == 1


async def test_an_unlinked_blob_goes_at_once(worker: Worker, garbage: GarbageService) -> None:
    await worker.push(DATA)
    await worker.blobs.unlink(REGISTRY, APP, digest_of(DATA))
    done = await garbage.collect()
    assert (done.links, done.blobs) == (0, 1)
    await worker.push(DATA)
    assert await worker.pull(DATA) == DATA


async def test_a_deleted_repository_leaves_no_bytes(
    worker: Worker,
    garbage: GarbageService,
    images: ImageService,
    repositories: RepositoryService,
    clock: Clock,
    place: Place,
) -> None:
    await push_image(worker, images, DATA)
    await worker.blobs.mount(REGISTRY, WEB, APP, digest_of(DATA))
    await repositories.delete(REGISTRY, APP, force=True)
    done = await garbage.collect()
    assert (done.links, done.blobs) == (0, 1)
    assert await worker.pull(DATA, name=WEB) == DATA
    await free_bytes(worker, clock)
    assert place.names() == await keys_of(worker.database)


async def test_who_reads_reads_on(worker: Worker, garbage: GarbageService) -> None:
    await worker.push(DATA)
    found = (await worker.blobs.view(ACCOUNT, REGISTRY, APP, digest_of(DATA))).blob
    assert found
    await worker.blobs.unlink(REGISTRY, APP, digest_of(DATA))
    await garbage.collect()
    await worker.uploads.sweep()
    assert b"".join([bytes(piece) async for piece in worker.blobs.open(found)]) == DATA


async def test_a_promise_that_came_too_late_is_not_given(worker: Worker, garbage: GarbageService, clock: Clock) -> None:
    await worker.push(DATA)
    clock.forward(hours=3)
    seen = await worker.blobs.view(ACCOUNT, REGISTRY, APP, digest_of(DATA))
    await garbage.collect()
    with pytest.raises(BlobNotFound):
        await worker.blobs.promise(seen)
    [layer] = await worker.blobs.check_layers(REGISTRY, APP, [digest_of(DATA)])
    assert not layer.is_available


async def test_the_promise_can_be_short(worker: Worker, context: Context, clock: Clock, place: Place) -> None:
    promise = BlobPromise(5)
    garbage = GarbageService(worker.database, context, promise=promise)
    await worker.push(DATA)
    worker.blobs._promise = promise
    clock.forward(hours=1, minutes=59, seconds=59)
    await worker.blobs.promise(await worker.blobs.view(ACCOUNT, REGISTRY, APP, digest_of(DATA)))
    clock.forward(seconds=9)
    assert (await garbage.collect()).blobs == 0
    clock.forward(seconds=2)
    assert (await garbage.collect()).blobs == 1
    clock.forward(seconds=5)
    await worker.uploads.sweep()
    assert place.names() == []


async def test_maintenance_keeps_bytes_that_are_doomed(worker: Worker, clock: Clock, place: Place) -> None:
    """A sweep that is under way ends with its batch: an operator may be copying the files."""
    upload_id = await worker.start()
    await worker.append(upload_id, DATA)
    await worker.uploads.cancel(REGISTRY, APP, ACCOUNT, upload_id)
    clock.forward(seconds=UPLOAD_LEASE_SECONDS)
    before = place.names()
    await worker.database.write(lambda c: maintenance.begin(c, "moving", 1))
    assert (await worker.uploads.sweep()).objects == 0
    assert place.names() == before != []
    await worker.database.write(maintenance.end)
    assert (await worker.uploads.sweep()).objects == 1
    assert place.names() == []


async def test_a_hold_keeps_everything(worker: Worker, garbage: GarbageService, clock: Clock, place: Place) -> None:
    await worker.push(DATA)
    await worker.push(b"second")
    await worker.blobs.unlink(REGISTRY, APP, digest_of(b"second"))
    await garbage.collect()
    clock.forward(hours=3)
    before = len(place.names())
    now = to_micros(clock.now)
    await worker.database.write(lambda c: collection_hold.take(c, "one", "a backup", now, now + 60_000_000))
    assert await garbage.collect() == Collected(is_held=True)
    assert (await worker.uploads.sweep()).objects == 0
    assert len(place.names()) == before
    assert await worker.database.write(lambda c: collection_hold.renew(c, "one", now, now + 120_000_000))
    clock.forward(seconds=119)
    assert (await garbage.collect()).is_held
    clock.forward(seconds=1)
    assert (await garbage.collect()).blobs == 1
    late = to_micros(clock.now)
    assert not await worker.database.write(lambda c: collection_hold.renew(c, "one", late, late + 1))
    await free_bytes(worker, clock)
    assert place.names() == []


async def test_a_released_hold_is_none(worker: Worker, garbage: GarbageService, clock: Clock) -> None:
    await worker.push(DATA)
    clock.forward(hours=3)
    now = to_micros(clock.now)
    await worker.database.write(lambda c: collection_hold.take(c, "one", "a backup", now, now + 60_000_000))
    await worker.database.write(lambda c: collection_hold.release(c, "one"))
    assert (await garbage.collect()).blobs == 1


# ── cost ─────────────────────────────────────────────────────────────────────────────────────

LIVE = 3_000


def fill(connection: Connection, repository_id: int, domain_id: int) -> None:
    """Many blobs that one image references, long settled."""
    image = {"repository_id": repository_id, "digest": "sha256:x", "media_type": "a/b", "size_bytes": 1, "raw": b"{}"}
    image |= {"image_size_bytes": 1, "status": "ACTIVE", "pushed_at": 1}
    image_id = connection.execute(insert(schema.manifest).returning(schema.manifest.c.id), image).scalar_one()
    blob = {"domain_id": domain_id, "size_bytes": 1, "store": "filesystem", "format": 0, "frame_bytes": 1}
    blob |= {"created_at": 1}
    rows = [{**blob, "digest": f"sha256:{number:064}", "storage_key": f"live-{number}"} for number in range(LIVE)]
    connection.execute(insert(schema.blob), rows)
    ids = connection.execute(select(schema.blob.c.id)).scalars().all()
    link = {"repository_id": repository_id, "linked_at": 1, "keep_until": 1}
    connection.execute(insert(schema.repository_blob), [{**link, "blob_id": blob_id} for blob_id in ids])
    reference = {"manifest_id": image_id, "kind": "layer", "repository_id": repository_id, "media_type": "a/b"}
    references = [{**reference, "position": place, "blob_id": blob_id} for place, blob_id in enumerate(ids)]
    connection.execute(insert(schema.manifest_reference), references)


async def test_the_live_are_looked_at_once(worker: Worker, garbage: GarbageService, clock: Clock) -> None:
    row = await worker.database.read(lambda c: c.execute(select(schema.repository)).mappings().first())
    assert row
    await worker.database.write(lambda c: fill(c, row["id"], row["domain_id"]))
    await garbage.collect()
    unsettled = select(schema.repository_blob).where(~schema.repository_blob.c.is_settled)
    assert await worker.database.read(lambda c: c.execute(unsettled).all()) == []
    if worker.database.dialect == "sqlite":
        plans = await worker.database.write(lambda c: plans_of(c, to_micros(clock.now)))
        scans = [step for step in plans if step.startswith("SCAN") and "CONSTANT" not in step]
        assert all("ix_blob_loose" in step for step in scans), plans


def plans_of(connection: Connection, now: int) -> list[str]:
    """How SQLite finds what the collector asks for."""
    steps: list[str] = []

    def explain(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith("SELECT"):
            raw = connection.connection.driver_connection
            assert raw is not None
            steps.extend(step[3] for step in raw.execute("EXPLAIN QUERY PLAN " + statement, parameters))

    event.listen(connection.engine, "before_cursor_execute", explain)
    try:
        rows.claim_due_links(connection, now, 10)
        rows.referenced_among(connection, [(1, 1), (1, 2)])
        rows.claim_loose_blobs(connection, 10)
        rows.linked_among(connection, [1, 2])
        rows.survey(connection, now)
    finally:
        event.remove(connection.engine, "before_cursor_execute", explain)
    return steps
