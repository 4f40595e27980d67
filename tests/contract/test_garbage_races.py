"""Races of the collector with those who name, promise, mount, push and delete: two real connections on each engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select

from entrepot.domain.digest import Digest
from entrepot.domain.error import LayersNotFound
from entrepot.domain.manifest import parse_manifest
from entrepot.domain.reference import ImageId, Tag
from entrepot.service.garbage import Collected, collect_blobs, collect_links
from entrepot.service.image.deletion import Deletion, delete_images
from entrepot.service.image.push import Push, push_image
from entrepot.service.repository_key import RepositoryKeys
from entrepot.store.metadata import blob as blobs
from entrepot.store.metadata import schema
from tests.support.image import Shelf, image_manifest
from tests.support.race import Race
from tests.support.service import REGISTRY

NOW, KEPT_UNTIL = 1_000, 2_000
LAYER = b"layer"
IMAGE = image_manifest(layers=[LAYER])


def collect(connection: Connection, now: int = NOW) -> Collected:
    """Both stages in one transaction: what is claimed stays locked until its end."""
    links = collect_links(connection, now)
    return links + collect_blobs(connection, now, now)


def later(connection: Connection) -> Collected:
    return collect(connection, KEPT_UNTIL)


def push(connection: Connection) -> None:
    pushed = Push(REGISTRY, Shelf.name, parse_manifest(IMAGE), (Tag("v1"),), True, is_full=False, now_micros=9)
    push_image(connection, pushed, RepositoryKeys())


def delete(connection: Connection) -> None:
    image_id = ImageId(Digest.of(IMAGE))
    delete_images(connection, Deletion(REGISTRY, Shelf.name, [image_id], False, NOW, KEPT_UNTIL))


def promise(shelf: Shelf) -> Callable[[Connection], set[int]]:
    """As HEAD of a blob does before it answers."""

    def change(connection: Connection) -> set[int]:
        blob_id = connection.scalar(select(schema.blob.c.id).where(schema.blob.c.digest == str(Digest.of(LAYER)))) or 1
        return blobs.extend_promise(connection, shelf.repository_id, [blob_id], KEPT_UNTIL, KEPT_UNTIL + 1)

    return change


def link(shelf: Shelf) -> Callable[[Connection], int | None]:
    """As a mount does, or whoever lost the race to publish the same bytes; None when the blob is gone."""

    def change(connection: Connection) -> int | None:
        domain_id = connection.scalar(select(schema.repository.c.domain_id).limit(1)) or 0
        blob_id = blobs.hold_blob(connection, domain_id, Digest.of(LAYER))
        if blob_id is not None:
            blobs.link_blob(connection, shelf.repository_id, blob_id, NOW, KEPT_UNTIL)
        return blob_id

    return change


def publish(connection: Connection) -> int | None:
    """As whoever uploaded the same bytes does first; None when another blob of that digest lives."""
    domain_id = connection.scalar(select(schema.repository.c.domain_id).limit(1)) or 0
    new = blobs.NewBlob(domain_id, Digest.of(LAYER), len(LAYER), "fresh", "memory", 0, 0, None, NOW)
    return blobs.insert_blob(connection, new)


async def links(shelf: Shelf) -> int:
    return len(await shelf.rows(schema.repository_blob))


async def collected(shelf: Shelf, now: int) -> Collected:
    return await shelf.database.write(lambda connection: collect(connection, now))


@pytest.fixture(autouse=True)
async def linked(shelf: Shelf) -> None:
    """Config and layer are uploaded, and promised no longer."""
    await shelf.link(b"{}", LAYER)


async def test_what_a_push_names_stays(race: Race, shelf: Shelf) -> None:
    _, late = race.run(push, collect)
    assert (late.error, late.result.links, late.result.blobs) == (None, 0, 0)
    assert (await collected(shelf, KEPT_UNTIL)).links == 0
    assert await links(shelf) == 2


async def test_what_a_push_named_that_died_goes_later(race: Race, shelf: Shelf) -> None:
    race.run(push, collect, is_first_committed=False)
    await collected(shelf, NOW)
    assert await shelf.rows(schema.blob) == []


async def test_a_push_that_names_what_was_collected_is_refused(race: Race, shelf: Shelf) -> None:
    first, late = race.run(collect, push)
    assert (first.links, first.blobs) == (2, 2)
    assert isinstance(late.error, LayersNotFound)
    assert await shelf.rows(schema.manifest) == []


async def test_a_promise_keeps(race: Race, shelf: Shelf) -> None:
    first, _ = race.run(promise(shelf), collect)
    await collected(shelf, NOW)
    assert [row.blob_id for row in await shelf.rows(schema.repository_blob)] == list(first)


async def test_a_promise_is_not_given_for_what_is_collected(race: Race, shelf: Shelf) -> None:
    first, late = race.run(collect, promise(shelf))
    assert (first.links, late.result, await links(shelf)) == (2, set(), 0)


async def test_a_blob_that_is_linked_anew_stays(race: Race, shelf: Shelf) -> None:
    """A mount into another repository would do the same: the blob is held, then linked."""
    blob_id, _ = race.run(link(shelf), collect)
    await collected(shelf, NOW)
    assert [row.id for row in await shelf.rows(schema.blob)] == [blob_id]
    assert [row.blob_id for row in await shelf.rows(schema.repository_blob)] == [blob_id]


async def test_a_blob_whose_new_link_was_given_up_goes_later(race: Race, shelf: Shelf) -> None:
    race.run(link(shelf), collect, is_first_committed=False)
    await collected(shelf, NOW)
    assert await shelf.rows(schema.blob) == []


async def test_a_collected_blob_is_not_linked(race: Race, shelf: Shelf) -> None:
    first, late = race.run(collect, link(shelf))
    assert (first.blobs, late.result, late.error) == (2, None, None)
    assert await links(shelf) == 0


async def test_the_same_bytes_become_a_blob_of_their_own_after_a_collection(race: Race, shelf: Shelf) -> None:
    _, late = race.run(collect, publish)
    assert late.result is not None
    assert [row.storage_key for row in await shelf.rows(schema.blob)] == ["fresh"]
    assert "fresh" not in {row.storage_key for row in await shelf.rows(schema.doomed_object)}


async def test_what_is_deleted_while_the_collector_finds_it_referenced_goes_later(race: Race, shelf: Shelf) -> None:
    await shelf.put(IMAGE, "v1")
    first, late = race.run(collect, delete)
    assert (first.links, late.error) == (0, None)
    assert (await collected(shelf, KEPT_UNTIL)).blobs == 2


async def test_what_a_deletion_lets_go_is_kept_for_its_grace(race: Race, shelf: Shelf) -> None:
    await shelf.put(IMAGE, "v1")
    _, late = race.run(delete, collect)
    assert late.result.links == 0
    assert (await collected(shelf, KEPT_UNTIL - 1)).links == 0
    assert (await collected(shelf, KEPT_UNTIL)).blobs == 2


async def test_two_collectors_share_the_work(race: Race, shelf: Shelf) -> None:
    first, late = race.run(collect, later)
    assert (first.blobs, late.result.blobs, late.error) == (2, 0, None)
    assert len(await shelf.rows(schema.doomed_object)) == 2
