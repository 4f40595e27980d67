"""Pushing manifests: what must be there, what tags do, what is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import insert

from entrepot.domain.digest import Digest
from entrepot.domain.error import (
    ImageAlreadyExists,
    ImageDigestDoesNotMatch,
    ImageTagAlreadyExists,
    LayersNotFound,
    LimitExceeded,
    ManifestInvalid,
    ReferencedImagesNotFound,
    RepositoryNotFound,
)
from entrepot.domain.image import ImageFilter
from entrepot.domain.media_type import OCI_MANIFEST
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.repository import RepositoryName
from entrepot.service.context import Context
from entrepot.service.image import ImageService, listing
from entrepot.service.image.quota import ImageQuota
from entrepot.store.metadata import schema
from tests.support.image import EVERYTHING, NAME, Shelf, descriptor, image_manifest, index_manifest
from tests.support.service import REGISTRY

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


async def test_a_pushed_image_is_described_with_stored_sizes(shelf: Shelf) -> None:
    await shelf.link(b"{}", b"layer")
    raw = image_manifest(layers=[b"layer", b"layer"])
    pushed = await shelf.put(raw, "v1", "latest")
    assert pushed.is_new
    assert pushed.image_id == ImageId(Digest.of(raw), Tag("v1"))
    page = await shelf.images.describe(REGISTRY, NAME, None, ImageFilter(), EVERYTHING)
    [detail] = page.items
    assert (detail.digest, detail.tags) == (Digest.of(raw), (Tag("latest"), Tag("v1")))
    assert (detail.size_bytes, detail.media_type) == (len(b"{}" + b"layer"), OCI_MANIFEST)
    assert detail.artifact_type == "application/vnd.oci.image.config.v1+json"
    assert page.next_key is None


async def test_a_descriptor_with_another_size_is_tolerated(shelf: Shelf) -> None:
    await shelf.link(b"{}", b"layer")
    lying = descriptor(b"layer") | {"size": 99}
    await shelf.put(image_manifest(layers=[lying]), "v1")
    page = await shelf.images.describe(REGISTRY, NAME, None, ImageFilter(), EVERYTHING)
    assert page.items[0].size_bytes == len(b"{}" + b"layer")


async def test_every_missing_layer_is_named_once_and_nothing_is_stored(shelf: Shelf) -> None:
    await shelf.link(b"there")
    raw = image_manifest(layers=[b"b", b"there", b"a", b"b"])
    with pytest.raises(LayersNotFound) as caught:
        await shelf.put(raw, "v1")
    assert caught.value.digests == [Digest.of(b"{}"), Digest.of(b"b"), Digest.of(b"a")]
    assert await shelf.rows(schema.manifest) == []
    assert await shelf.rows(schema.tag) == []


async def test_layers_of_another_repository_do_not_count(shelf: Shelf, fixed_shelf: Shelf) -> None:
    await fixed_shelf.link(b"{}", b"layer")
    with pytest.raises(LayersNotFound):
        await shelf.put(image_manifest(layers=[b"layer"]))


async def test_a_foreign_layer_may_be_elsewhere(shelf: Shelf) -> None:
    await shelf.link(b"{}")
    await shelf.put(image_manifest(layers=[descriptor(b"windows", FOREIGN)]), "v1")
    [detail] = (await shelf.images.describe(REGISTRY, NAME, None, ImageFilter(), EVERYTHING)).items
    assert detail.size_bytes == len(b"{}")


async def test_an_index_needs_its_children_and_shows_the_largest(shelf: Shelf) -> None:
    small, large, absent = await shelf.image("x"), await shelf.image("xxxx"), image_manifest(layers=[b"no"])
    with pytest.raises(ReferencedImagesNotFound) as caught:
        await shelf.put(index_manifest([small, absent]), "v1")
    assert caught.value.digests == [Digest.of(absent)]
    raw = index_manifest([small, large])
    await shelf.put(raw, "v1")
    nested = json.loads(index_manifest([raw]))
    nested["manifests"][0]["mediaType"] = "application/vnd.oci.image.index.v1+json"
    await shelf.put(json.dumps(nested).encode(), "v2")
    page = await shelf.images.describe(
        REGISTRY, NAME, [ImageId(tag=Tag("v1")), ImageId(tag=Tag("v2"))], ImageFilter(), EVERYTHING
    )
    assert [detail.size_bytes for detail in page.items] == [len(b"{}xxxx")] * 2


async def test_an_index_may_name_blobs_by_other_media_types(shelf: Shelf) -> None:
    await shelf.link(b"cache", b"more")
    children = [descriptor(b"cache"), descriptor(b"more", "application/vnd.buildkit.cacheconfig.v0")]
    raw = index_manifest(children)
    await shelf.put(raw, "cache")
    [detail] = (await shelf.images.describe(REGISTRY, NAME, None, ImageFilter(), EVERYTHING)).items
    assert detail.size_bytes == len(b"cache" + b"more")
    with pytest.raises(ReferencedImagesNotFound):
        await shelf.put(index_manifest([*children, descriptor(b"gone")]), "cache")


async def test_a_blob_is_no_manifest_for_an_index(shelf: Shelf) -> None:
    await shelf.link(b"blob")
    with pytest.raises(ReferencedImagesNotFound):
        await shelf.put(index_manifest([b"blob"]))


async def test_a_subject_may_be_missing(shelf: Shelf) -> None:
    raw = await shelf.image("x", subject=descriptor(b"unborn", OCI_MANIFEST))
    [detail] = (await shelf.images.describe(REGISTRY, NAME, None, ImageFilter(), EVERYTHING)).items
    assert (detail.digest, detail.subject) == (Digest.of(raw), Digest.of(b"unborn"))


async def test_a_digest_given_must_be_that_of_the_bytes(shelf: Shelf) -> None:
    await shelf.link(b"{}")
    raw = image_manifest()
    with pytest.raises(ImageDigestDoesNotMatch):
        await shelf.put(raw, digest=Digest.of(b"other"))
    pushed = await shelf.put(raw, digest=Digest.of(raw, "sha512"))
    assert pushed.image_id.digest == Digest.of(raw, "sha512")


async def test_bytes_that_are_no_manifest_are_refused_first(shelf: Shelf) -> None:
    with pytest.raises(ManifestInvalid):
        await shelf.put(b"<html>", "v1", digest=Digest.of(b"other"))


async def test_a_missing_repository_is_said(shelf: Shelf) -> None:
    with pytest.raises(RepositoryNotFound):
        await Shelf(shelf.database, shelf.images, 0, RepositoryName("team/none")).put(image_manifest())


async def test_a_tag_moves_and_leaves_its_image_untagged(shelf: Shelf) -> None:
    first, second = await shelf.image("1", "v1"), await shelf.image("2", "v1")
    assert await shelf.tags() == {"v1": str(Digest.of(second))}
    ids = (await shelf.images.list(REGISTRY, NAME, ImageFilter(), EVERYTHING)).items
    assert ids == [ImageId(Digest.of(first)), ImageId(Digest.of(second), Tag("v1"))]


async def test_fixed_tags_stay_and_excluded_ones_move(fixed_shelf: Shelf) -> None:
    first = await fixed_shelf.image("1", "v1", "dev-1")
    with pytest.raises(ImageTagAlreadyExists) as caught:
        await fixed_shelf.image("2", "dev-1", "v1")
    assert caught.value.tag == Tag("v1")
    assert set((await fixed_shelf.tags()).values()) == {str(Digest.of(first))}
    assert len(await fixed_shelf.rows(schema.manifest)) == 1
    second = await fixed_shelf.image("2", "dev-1", "v2")
    assert await fixed_shelf.tags() == {
        "v1": str(Digest.of(first)),
        "dev-1": str(Digest.of(second)),
        "v2": str(Digest.of(second)),
    }


async def test_the_same_push_again_succeeds_only_on_the_data_plane(fixed_shelf: Shelf) -> None:
    raw = await fixed_shelf.image("1", "v1")
    events = len(await fixed_shelf.rows(schema.event))
    assert not (await fixed_shelf.put(raw, "v1")).is_new
    assert not (await fixed_shelf.put(raw)).is_new
    for tags in (["v1"], []):
        with pytest.raises(ImageAlreadyExists) as caught:
            await fixed_shelf.put(raw, *tags, is_idempotent=False)
        assert caught.value.image_id == ImageId(Digest.of(raw), Tag("v1") if tags else None)
    assert len(await fixed_shelf.rows(schema.event)) == events
    await fixed_shelf.put(raw, "v2", is_idempotent=False)
    assert set(await fixed_shelf.tags()) == {"v1", "v2"}


async def test_strict_pushes_may_move_a_tag(shelf: Shelf) -> None:
    first, second = await shelf.image("1", "v1"), await shelf.image("2")
    await shelf.put(second, "v1", is_idempotent=False)
    await shelf.put(first, "v1", is_idempotent=False)
    assert await shelf.tags() == {"v1": str(Digest.of(first))}


async def test_events_name_each_changed_tag(shelf: Shelf) -> None:
    raw = await shelf.image("1", "b", "a")
    await shelf.put(raw, "a", "c")
    await shelf.image("2")
    events = [json.loads(row.details) for row in await shelf.rows(schema.event) if row.kind == "image.pushed"]
    assert [event.get("tag") for event in events] == ["a", "b", "c", None]
    assert {event["digest"] for event in events[:3]} == {str(Digest.of(raw))}
    assert events[0]["media_type"] == OCI_MANIFEST


async def test_an_image_has_at_most_1000_tags(shelf: Shelf) -> None:
    raw = await shelf.image("1", "v1")
    [image] = await shelf.rows(schema.manifest)
    tags = [
        {"repository_id": shelf.repository_id, "name": f"n{i}", "name_lower": f"n{i}", "manifest_id": image.id}
        | {"tagged_at": 1}
        for i in range(998)
    ]
    await shelf.database.write(lambda connection: connection.execute(insert(schema.tag), tags))
    await shelf.put(raw, "the-1000th")
    with pytest.raises(LimitExceeded):
        await shelf.put(raw, "the-1001st")
    assert "the-1001st" not in await shelf.tags()
    await shelf.put(raw, "v1")


async def test_a_full_repository_takes_no_new_image_but_new_tags(shelf: Shelf, context: Context) -> None:
    images = ImageService(shelf.database, context, quota=ImageQuota(limit=3))
    full = Shelf(shelf.database, images, shelf.repository_id)
    manifests = [await full.image(str(i), f"v{i}") for i in range(3)]
    with pytest.raises(LimitExceeded):
        await full.image("3", "v3")
    await full.put(manifests[0], "v4")
    assert set(await full.tags()) == {"v0", "v1", "v2", "v4"}
    await images.delete(REGISTRY, NAME, Digest.of(manifests[1]))
    await full.image("3", "v3")
    with pytest.raises(LimitExceeded):
        await full.image("4", "v5")


async def test_new_tags_in_a_full_repository_cost_no_count(
    shelf: Shelf, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = ImageService(shelf.database, context, quota=ImageQuota(limit=2))
    full, counts = Shelf(shelf.database, images, shelf.repository_id), list[str]()
    manifests = [await full.image(str(i), f"v{i}") for i in range(2)]
    await full.put(manifests[0], "counted")
    count = listing.count_images

    def counted(*given: Any) -> int:
        counts.append("counted")
        return count(*given)

    monkeypatch.setattr(listing, "count_images", counted)
    for tag in ("v2", "v3"):
        await full.put(manifests[0], tag)
    assert counts == []
    with pytest.raises(LimitExceeded):
        await full.image("2", "v4")
    assert counts == ["counted"]
