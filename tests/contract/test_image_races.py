"""Races between pushes and deletions: two real connections, the first held open until the second waits for it.

On PostgreSQL the second transaction starts before the first commits and blocks on its locks, or does not; on SQLite
it queues for the write lock. Either way, what both leave behind must be what one order of the two would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, select

from entrepot.domain.digest import Digest
from entrepot.domain.error import (
    ImageTagAlreadyExists,
    LayersNotFound,
    ReferencedImagesNotFound,
)
from entrepot.domain.image import FailureCode
from entrepot.domain.manifest import parse_manifest
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.tag_mutability import Mode, TagMutability
from entrepot.service.image.deletion import Deletion, DeletionOutcome, delete_images
from entrepot.service.image.push import Push, PushOutcome, push_image
from entrepot.service.repository import RepositoryService
from entrepot.service.repository_key import RepositoryKeys
from entrepot.store.metadata import blob as blobs
from entrepot.store.metadata import image as images
from entrepot.store.metadata import schema
from entrepot.store.metadata import tag as tags
from entrepot.store.metadata.repository import hold_repository, set_tag_mutability
from tests.support.image import Shelf, image_manifest, index_manifest, link_blob
from tests.support.poll import wait_until
from tests.support.race import Race, Transaction, writing
from tests.support.service import REGISTRY

KEPT_UNTIL = 1_000


def push(shelf: Shelf, raw: bytes, *tags: str) -> Callable[[Connection], PushOutcome]:
    names = tuple(Tag(tag) for tag in tags)
    pushed = Push(REGISTRY, shelf.name, parse_manifest(raw), names, is_idempotent=True, is_full=False, now_micros=9)
    return lambda connection: push_image(connection, pushed, RepositoryKeys())


def delete(shelf: Shelf, image_id: ImageId) -> Callable[[Connection], DeletionOutcome]:
    deletion = Deletion(REGISTRY, shelf.name, [image_id], False, now_micros=9, keep_until_micros=KEPT_UNTIL)
    return lambda connection: delete_images(connection, deletion)


def by_digest(raw: bytes) -> ImageId:
    return ImageId(Digest.of(raw))


def by_tag(name: str) -> ImageId:
    return ImageId(tag=Tag(name))


async def digests(shelf: Shelf) -> set[str]:
    return {row.digest for row in await shelf.rows(schema.manifest)}


def names_of(*raws: bytes) -> set[str]:
    return {str(Digest.of(raw)) for raw in raws}


# ── tags ─────────────────────────────────────────────────────────────────────────────────────


async def test_of_two_writers_of_a_fixed_tag_one_is_refused(race: Race, fixed_shelf: Shelf) -> None:
    await fixed_shelf.link(b"{}", b"1", b"2")
    one, two = image_manifest(layers=[b"1"]), image_manifest(layers=[b"2"])
    _, late = race.run(push(fixed_shelf, one, "v1"), push(fixed_shelf, two, "v1"))
    assert isinstance(late.error, ImageTagAlreadyExists)
    assert await fixed_shelf.tags() == {"v1": str(Digest.of(one))}
    assert await digests(fixed_shelf) == names_of(one)


async def test_a_fixed_tag_whose_writer_fails_is_free_for_the_next(race: Race, fixed_shelf: Shelf) -> None:
    await fixed_shelf.link(b"{}", b"1", b"2")
    one, two = image_manifest(layers=[b"1"]), image_manifest(layers=[b"2"])
    _, late = race.run(push(fixed_shelf, one, "v1"), push(fixed_shelf, two, "v1"), is_first_committed=False)
    assert (late.error, await fixed_shelf.tags()) == (None, {"v1": str(Digest.of(two))})


async def test_two_writers_of_the_same_image_and_fixed_tag_both_succeed(race: Race, fixed_shelf: Shelf) -> None:
    await fixed_shelf.link(b"{}", b"1")
    raw = image_manifest(layers=[b"1"])
    first, late = race.run(push(fixed_shelf, raw, "v1"), push(fixed_shelf, raw, "v1", "v2"))
    assert (late.error, first.is_new, late.result.is_new) == (None, True, False)
    assert await fixed_shelf.tags() == dict.fromkeys(["v1", "v2"], str(Digest.of(raw)))
    assert len(await fixed_shelf.rows(schema.manifest_reference)) == 2


async def test_a_tag_that_is_fixed_meanwhile_does_not_move_afterwards(race: Race, shelf: Shelf) -> None:
    await shelf.image("1", "v1")
    await shelf.link(b"2")
    order: list[str] = []

    def fix(connection: Connection) -> None:
        held = hold_repository(connection, REGISTRY, shelf.name, is_for_deletion=True)
        assert held is not None
        set_tag_mutability(connection, held.repository.id, TagMutability(Mode.IMMUTABLE))
        order.append("fixed")

    def moved(connection: Connection) -> None:
        push(shelf, image_manifest(layers=[b"2"]), "v1")(connection)
        order.append("moved")

    _, late = race.run(fix, moved)
    assert isinstance(late.error, ImageTagAlreadyExists)
    assert order == ["fixed"]


POSTGRES_ONLY = pytest.mark.parametrize("database_address", ["postgresql"], indirect=True)
"""SQLite has one writer: nothing can happen between two of its statements, or before its commit."""


@POSTGRES_ONLY
async def test_a_new_rule_for_tags_waits_for_pushes_under_the_old_one(
    race: Race, shelf: Shelf, repository_service: RepositoryService
) -> None:
    await shelf.image("1", "v1")
    await shelf.link(b"2")
    moved = image_manifest(layers=[b"2"])
    with writing(race.engine) as connection:
        push(shelf, moved, "v1")(connection)
        rule = TagMutability(Mode.IMMUTABLE)
        change = asyncio.create_task(repository_service.set_tag_mutability(REGISTRY, shelf.name, rule))
        await asyncio.to_thread(wait_until, race.is_anybody_waiting, what="the change of the rule")
        assert not change.done()
    await change
    assert await shelf.tags() == {"v1": str(Digest.of(moved))}


# ── deleting while tagging ───────────────────────────────────────────────────────────────────


async def test_an_image_stays_under_a_tag_that_was_added_before_its_last_went(race: Race, shelf: Shelf) -> None:
    raw = await shelf.image("1", "old")
    _, late = race.run(push(shelf, raw, "new"), delete(shelf, by_tag("old")))
    assert late.result.deleted == [ImageId(Digest.of(raw), Tag("old"))]
    assert await shelf.tags() == {"new": str(Digest.of(raw))}
    assert await digests(shelf) == names_of(raw)


async def test_an_image_comes_back_under_a_tag_that_is_added_after_its_last_went(race: Race, shelf: Shelf) -> None:
    raw = await shelf.image("1", "old")
    _, late = race.run(delete(shelf, by_tag("old")), push(shelf, raw, "new"))
    assert (late.error, late.result.is_new) == (None, True)
    assert await shelf.tags() == {"new": str(Digest.of(raw))}
    assert len(await shelf.rows(schema.manifest_reference)) == 2


async def test_a_deletion_by_digest_takes_a_tag_that_came_before(race: Race, shelf: Shelf) -> None:
    raw = await shelf.image("1", "old")
    _, late = race.run(push(shelf, raw, "new"), delete(shelf, by_digest(raw)))
    assert {image_id.tag for image_id in late.result.deleted} == {Tag("old"), Tag("new")}
    assert (await shelf.tags(), await digests(shelf)) == ({}, set())


async def test_a_tag_that_moved_away_is_deleted_where_it_is(race: Race, shelf: Shelf) -> None:
    first = await shelf.image("1", "v1")
    await shelf.link(b"2")
    second = image_manifest(layers=[b"2"])
    _, late = race.run(push(shelf, second, "v1"), delete(shelf, by_tag("v1")))
    assert late.result.deleted == [ImageId(Digest.of(second), Tag("v1"))]
    assert (await shelf.tags(), await digests(shelf)) == ({}, names_of(first))


async def test_a_tag_that_moved_away_survives_its_old_image(race: Race, shelf: Shelf) -> None:
    first, second = await shelf.image("1", "v1"), await shelf.image("2")
    _, late = race.run(push(shelf, second, "v1"), delete(shelf, by_digest(first)))
    assert late.result.deleted == [by_digest(first)]
    assert await shelf.tags() == {"v1": str(Digest.of(second))}


async def test_of_two_deletions_one_finds_the_image(race: Race, shelf: Shelf) -> None:
    raw = await shelf.image("1", "v1")
    first, late = race.run(delete(shelf, by_digest(raw)), delete(shelf, by_tag("v1")))
    assert first.deleted == [ImageId(Digest.of(raw), Tag("v1"))]
    assert [failure.code for failure in late.result.failures] == [FailureCode.IMAGE_NOT_FOUND]


# ── indexes and blobs ────────────────────────────────────────────────────────────────────────


async def test_a_child_cannot_go_while_its_index_is_pushed(race: Race, shelf: Shelf) -> None:
    child = await shelf.image("1", "child")
    index = index_manifest([child])
    _, late = race.run(push(shelf, index), delete(shelf, by_digest(child)))
    assert [failure.digests for failure in late.result.failures] == [(Digest.of(index),)]
    assert await digests(shelf) == names_of(child, index)


async def test_an_index_is_refused_whose_child_goes_meanwhile(race: Race, shelf: Shelf) -> None:
    child = await shelf.image("1", "child")
    _, late = race.run(delete(shelf, by_tag("child")), push(shelf, index_manifest([child]), "multi"))
    assert isinstance(late.error, ReferencedImagesNotFound)
    assert (await shelf.tags(), await digests(shelf)) == ({}, set())


def unlink(shelf: Shelf, data: bytes) -> Callable[[Connection], bool]:
    """As a blob is deleted or collected: hold the link, look for references in a second statement, let go."""

    def change(connection: Connection) -> bool:
        domain_id = connection.scalar(select(schema.repository.c.domain_id).limit(1)) or 0
        blob_id = blobs.hold_link(connection, shelf.repository_id, domain_id, Digest.of(data))
        if blob_id is None or blobs.is_referenced(connection, shelf.repository_id, blob_id):
            return False
        blobs.unlink_blob(connection, shelf.repository_id, blob_id)
        return True

    return change


async def test_a_blob_cannot_be_unlinked_while_a_push_names_it(race: Race, shelf: Shelf) -> None:
    await shelf.link(b"{}", b"layer")
    _, late = race.run(push(shelf, image_manifest(layers=[b"layer"]), "v1"), unlink(shelf, b"layer"))
    assert (late.error, late.result) == (None, False)
    assert len(await shelf.rows(schema.repository_blob)) == 2


async def test_a_push_is_refused_whose_blob_is_unlinked_meanwhile(race: Race, shelf: Shelf) -> None:
    await shelf.link(b"{}", b"layer")
    _, late = race.run(unlink(shelf, b"layer"), push(shelf, image_manifest(layers=[b"layer"]), "v1"))
    assert isinstance(late.error, LayersNotFound)
    assert late.error.digests == [Digest.of(b"layer")]
    assert await shelf.tags() == {}


async def test_of_two_deletions_that_share_a_blob_the_later_starts_its_grace(race: Race, shelf: Shelf) -> None:
    await shelf.link(b"{}", b"shared")
    raws = [image_manifest(layers=[b"shared"], annotations={"n": str(n)}) for n in range(2)]
    for raw in raws:
        await shelf.put(raw)
    first, late = race.run(delete(shelf, by_digest(raws[0])), delete(shelf, by_digest(raws[1])))
    assert (first.deleted, late.result.deleted) == ([by_digest(raws[0])], [by_digest(raws[1])])
    assert {row.keep_until for row in await shelf.rows(schema.repository_blob)} == {KEPT_UNTIL}


async def test_a_link_made_anew_is_found_by_the_push_that_waited(race: Race, shelf: Shelf) -> None:
    await shelf.link(b"{}", b"layer")

    def replace(connection: Connection) -> None:
        unlink(shelf, b"layer")(connection)
        link_blob(connection, shelf.repository_id, b"layer")

    _, late = race.run(replace, push(shelf, image_manifest(layers=[b"layer"]), "v1"))
    # On PostgreSQL the waiting statement may miss the new row: refused, never half-stored.
    assert isinstance(late.error, LayersNotFound) == (await shelf.tags() == {})


@POSTGRES_ONLY
async def test_an_image_that_vanishes_between_insert_and_lock_is_stored_anew(
    race: Race, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await shelf.image("1", "old")
    lock_image = images.lock_image

    def lock_late(*arguments: Any) -> int | None:
        monkeypatch.setattr(images, "lock_image", lock_image)
        with writing(race.engine) as connection:
            delete(shelf, by_digest(raw))(connection)
        return lock_image(*arguments)

    monkeypatch.setattr(images, "lock_image", lock_late)
    with writing(race.engine) as connection:
        outcome = push(shelf, raw, "new")(connection)
    assert outcome.is_new
    assert await shelf.tags() == {"new": str(Digest.of(raw))}


@POSTGRES_ONLY
async def test_an_image_that_is_there_cannot_vanish_before_it_is_tagged(
    race: Race, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await shelf.image("1", "old")
    late = Transaction(delete(shelf, by_tag("old")))
    move_tag = tags.move_tag

    def move_late(*arguments: Any) -> bool:
        race.start(late)
        return move_tag(*arguments)

    monkeypatch.setattr(tags, "move_tag", move_late)
    with writing(race.engine) as connection:
        push(shelf, raw, "new")(connection)
    late.join()
    assert await shelf.tags() == {"new": str(Digest.of(raw))}
