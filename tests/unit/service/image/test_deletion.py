"""Deleting images and tags: what goes, what stays, and why."""

from __future__ import annotations

import json

import pytest

from entrepot.domain.digest import Digest
from entrepot.domain.error import ImageNotFound, ImageReferencedByManifestList, RepositoryNotFound
from entrepot.domain.image import FailureCode, ImageFailure
from entrepot.domain.promise import DEFAULT_PROMISE
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.repository import RepositoryName
from entrepot.service.context import Context
from entrepot.store.metadata import schema
from tests.support.image import NAME, Shelf, image_manifest, index_manifest
from tests.support.service import REGISTRY

MICROS = 1_000_000


def by_tag(name: str) -> ImageId:
    return ImageId(tag=Tag(name))


def by_digest(raw: bytes) -> ImageId:
    return ImageId(Digest.of(raw))


def both(raw: bytes, name: str) -> ImageId:
    return ImageId(Digest.of(raw), Tag(name))


async def delete(shelf: Shelf, *image_ids: ImageId) -> tuple[list[ImageId], list[ImageFailure]]:
    return await shelf.images.batch_delete(REGISTRY, shelf.name, image_ids)


async def digests(shelf: Shelf) -> set[str]:
    return {row.digest for row in await shelf.rows(schema.manifest)}


async def test_by_tag_only_the_tag_goes_and_the_image_with_its_last(shelf: Shelf) -> None:
    raw = await shelf.image("1", "a", "b")
    assert await delete(shelf, by_tag("a")) == ([both(raw, "a")], [])
    assert await shelf.tags() == {"b": str(Digest.of(raw))}
    assert await delete(shelf, both(raw, "b")) == ([both(raw, "b")], [])
    assert await digests(shelf) == set()
    assert await shelf.rows(schema.manifest_reference) == []


async def test_by_digest_the_image_goes_with_all_its_tags(shelf: Shelf) -> None:
    raw, other = await shelf.image("1", "b", "a"), await shelf.image("2", "c")
    assert await delete(shelf, by_digest(raw)) == ([both(raw, "a"), both(raw, "b")], [])
    assert await shelf.tags() == {"c": str(Digest.of(other))}


async def test_an_untagged_image_is_one_entry(shelf: Shelf) -> None:
    raw = await shelf.image("1")
    assert await delete(shelf, by_digest(raw)) == ([by_digest(raw)], [])


async def test_fixed_tags_can_be_deleted_and_given_again(fixed_shelf: Shelf) -> None:
    await fixed_shelf.image("1", "v1")
    await delete(fixed_shelf, by_tag("v1"))
    second = await fixed_shelf.image("2", "v1")
    assert await fixed_shelf.tags() == {"v1": str(Digest.of(second))}


async def test_every_failure_has_its_code_and_the_rest_goes(shelf: Shelf) -> None:
    first, second = await shelf.image("1", "a"), await shelf.image("2", "b")
    absent = ImageId(Digest.of(b"absent"))
    deleted, failures = await delete(
        shelf, ImageId(), by_tag("none"), absent, both(first, "b"), ImageId(absent.digest, Tag("a")), by_tag("b")
    )
    assert deleted == [both(second, "b")]
    assert [(failure.image_id, failure.code) for failure in failures] == [
        (ImageId(), FailureCode.MISSING_DIGEST_AND_TAG),
        (by_tag("none"), FailureCode.IMAGE_NOT_FOUND),
        (absent, FailureCode.IMAGE_NOT_FOUND),
        (both(first, "b"), FailureCode.IMAGE_TAG_DOES_NOT_MATCH_DIGEST),
        (ImageId(absent.digest, Tag("a")), FailureCode.IMAGE_TAG_DOES_NOT_MATCH_DIGEST),
    ]
    assert await digests(shelf) == {str(Digest.of(first))}


async def test_naming_a_thing_twice_changes_nothing(shelf: Shelf) -> None:
    raw = await shelf.image("1", "a", "b")
    deleted, failures = await delete(shelf, by_tag("a"), by_tag("a"), both(raw, "a"), by_digest(raw), by_digest(raw))
    assert (deleted, failures) == ([both(raw, "a"), both(raw, "b")], [])


async def test_all_tags_of_an_image_in_one_batch_take_the_image(shelf: Shelf) -> None:
    raw = await shelf.image("1", "a", "b")
    assert await delete(shelf, by_tag("b"), by_tag("a")) == ([both(raw, "a"), both(raw, "b")], [])
    assert await digests(shelf) == set()


async def test_the_child_of_an_index_stays_until_the_index_is_gone(shelf: Shelf) -> None:
    child = await shelf.image("1", "child")
    indexes = [index_manifest([child], annotations={"n": str(n)}) for n in range(2)]
    for index in indexes:
        await shelf.put(index)
    parents = tuple(Digest.of(index) for index in indexes)
    for image_id in (by_digest(child), by_tag("child"), both(child, "child")):
        refused = ImageFailure(image_id, FailureCode.IMAGE_REFERENCED_BY_MANIFEST_LIST, parents)
        assert await delete(shelf, image_id) == ([], [refused])
    assert await shelf.tags() == {"child": str(Digest.of(child))}
    await delete(shelf, *(by_digest(index) for index in indexes))
    assert await delete(shelf, by_digest(child)) == ([both(child, "child")], [])


async def test_other_tags_of_a_child_can_go(shelf: Shelf) -> None:
    child = await shelf.image("1", "a", "b")
    await shelf.put(index_manifest([child]))
    assert await delete(shelf, by_tag("a")) == ([both(child, "a")], [])
    deleted, failures = await delete(shelf, by_digest(child), by_tag("b"))
    assert (deleted, [failure.image_id for failure in failures]) == ([], [by_digest(child), by_tag("b")])


async def test_one_batch_may_name_the_child_before_its_index(shelf: Shelf) -> None:
    child = await shelf.image("1", "child")
    index = index_manifest([child])
    await shelf.put(index, "multi")
    deleted, failures = await delete(shelf, by_tag("child"), by_tag("multi"))
    assert (set(deleted), failures) == ({both(child, "child"), both(index, "multi")}, [])
    assert await digests(shelf) == set()


async def test_the_subject_of_a_referrer_can_go(shelf: Shelf) -> None:
    subject = await shelf.image("1", "v1")
    await shelf.link(b"{}")
    referrer = image_manifest(
        subject={"mediaType": "a/b", "digest": str(Digest.of(subject)), "size": len(subject)}, artifactType="x/y"
    )
    await shelf.put(referrer)
    await delete(shelf, by_tag("v1"))
    assert await digests(shelf) == {str(Digest.of(referrer))}


async def test_blobs_are_kept_for_a_while_after_their_last_reference(shelf: Shelf, context: Context) -> None:
    await shelf.link(b"{}", b"shared", b"own")
    first, second = image_manifest(layers=[b"shared", b"own", b"own"]), image_manifest(layers=[b"shared"])
    await shelf.put(first)
    await shelf.put(second)
    await delete(shelf, by_digest(first))
    promised = DEFAULT_PROMISE.keep_until(context.now_micros())
    assert await keep_until(shelf) == {str(Digest.of(b"own")): promised, **dict.fromkeys(map(str, untouched()), 0)}
    await delete(shelf, by_digest(second))
    assert set((await keep_until(shelf)).values()) == {promised}


def untouched() -> list[Digest]:
    return [Digest.of(b"{}"), Digest.of(b"shared")]


async def keep_until(shelf: Shelf) -> dict[str, int]:
    names = {row.id: row.digest for row in await shelf.rows(schema.blob)}
    return {names[row.blob_id]: row.keep_until for row in await shelf.rows(schema.repository_blob)}


async def test_a_longer_promise_is_not_shortened(shelf: Shelf) -> None:
    await shelf.link(b"{}", keep_until=2**60)
    await shelf.put(image_manifest(), "v1")
    await delete(shelf, by_tag("v1"))
    assert set((await keep_until(shelf)).values()) == {2**60}


async def test_events_name_what_went(shelf: Shelf) -> None:
    raw, untagged = await shelf.image("1", "a", "b"), await shelf.image("2")
    await delete(shelf, by_digest(raw), by_digest(untagged))
    events = [json.loads(row.details) for row in await shelf.rows(schema.event) if row.kind == "image.deleted"]
    assert {(event["digest"], event.get("tag")) for event in events} == {
        (str(Digest.of(raw)), "a"),
        (str(Digest.of(raw)), "b"),
        (str(Digest.of(untagged)), None),
    }


async def test_the_data_plane_deletes_by_tag_as_ecr(shelf: Shelf) -> None:
    raw = await shelf.image("1", "a", "b")
    await shelf.images.delete(REGISTRY, NAME, Tag("a"))
    assert await shelf.tags() == {"b": str(Digest.of(raw))}
    await shelf.images.delete(REGISTRY, NAME, Tag("b"))
    assert await digests(shelf) == set()
    for gone in (Tag("b"), Digest.of(raw)):
        with pytest.raises(ImageNotFound):
            await shelf.images.delete(REGISTRY, NAME, gone)


async def test_the_data_plane_takes_the_last_tag_off_a_child(shelf: Shelf) -> None:
    child = await shelf.image("1", "child")
    index = index_manifest([child])
    await shelf.put(index)
    await shelf.images.delete(REGISTRY, NAME, Tag("child"))
    assert await shelf.tags() == {}
    assert await digests(shelf) == {str(Digest.of(child)), str(Digest.of(index))}
    with pytest.raises(ImageReferencedByManifestList) as caught:
        await shelf.images.delete(REGISTRY, NAME, Digest.of(child))
    assert caught.value.parents == [Digest.of(index)]


async def test_a_missing_repository_is_said(shelf: Shelf) -> None:
    with pytest.raises(RepositoryNotFound):
        await shelf.images.batch_delete(REGISTRY, RepositoryName("team/none"), [by_tag("a")])
