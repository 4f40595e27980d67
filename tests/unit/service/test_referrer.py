"""Referrers: by subject, filtered, paged by row id."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from entrepot.domain.digest import Digest
from entrepot.domain.error import RepositoryNotFound
from entrepot.domain.image import ImageStatus, Referrer
from entrepot.domain.media_type import OCI_INDEX, OCI_MANIFEST
from entrepot.domain.page import PageRequest
from entrepot.domain.repository import RepositoryName
from entrepot.service.referrer import ReferrerService
from entrepot.store.metadata import schema
from tests.support.image import EVERYTHING, NAME, Shelf, descriptor, image_manifest, index_manifest
from tests.support.service import REGISTRY

SUBJECT = b"the subject, which is not there"


@pytest.fixture
def referrers(shelf: Shelf) -> ReferrerService:
    return ReferrerService(shelf.database)


async def refer(shelf: Shelf, artifact_type: str | None, **annotations: str) -> bytes:
    raw = image_manifest(
        subject=descriptor(SUBJECT, OCI_MANIFEST), artifactType=artifact_type, annotations=annotations or None
    )
    await shelf.link(b"{}")
    await shelf.put(raw)
    return raw


async def test_referrers_are_told_as_descriptors_want_them(shelf: Shelf, referrers: ReferrerService) -> None:
    signature = await refer(shelf, "a/signature", who="me")
    plain = await refer(shelf, None)
    await shelf.image("other", subject=descriptor(b"another subject"))
    index = index_manifest([], subject=descriptor(SUBJECT), artifactType="a/index")
    await shelf.put(index)
    page = await referrers.list(REGISTRY, NAME, Digest.of(SUBJECT), None, ImageStatus.ACTIVE, EVERYTHING)
    config_type = json.loads(plain)["config"]["mediaType"]
    active = ImageStatus.ACTIVE
    assert page.items == [
        Referrer(Digest.of(signature), OCI_MANIFEST, "a/signature", len(signature), {"who": "me"}, active),
        Referrer(Digest.of(plain), OCI_MANIFEST, config_type, len(plain), {}, active),
        Referrer(Digest.of(index), OCI_INDEX, "a/index", len(index), {}, active),
    ]


async def test_filters_by_artifact_type_and_status(shelf: Shelf, referrers: ReferrerService) -> None:
    for kind in ("a/1", "a/2", "a/3"):
        await refer(shelf, kind)
    archived = update(schema.manifest).where(schema.manifest.c.artifact_type == "a/3")
    await shelf.database.write(lambda c: c.execute(archived.values(status="ARCHIVED")))

    async def kinds(wanted: list[str], status: ImageStatus | None) -> list[str | None]:
        page = await referrers.list(REGISTRY, NAME, Digest.of(SUBJECT), wanted, status, EVERYTHING)
        return [item.artifact_type for item in page.items]

    assert await kinds([], ImageStatus.ACTIVE) == ["a/1", "a/2"]
    assert await kinds(["a/2", "a/3"], None) == ["a/2", "a/3"]
    assert await kinds(["a/3"], ImageStatus.ACTIVE) == []


async def test_pages_put_together_are_the_whole(shelf: Shelf, referrers: ReferrerService) -> None:
    raws = [await refer(shelf, f"a/{number}") for number in range(5)]
    seen, after = [], None
    for _ in range(3):
        page = await referrers.list(REGISTRY, NAME, Digest.of(SUBJECT), None, None, PageRequest(2, after))
        seen += [item.digest for item in page.items]
        after = page.next_key
    assert seen == [Digest.of(raw) for raw in raws]
    assert after is None


async def test_a_page_ends_where_its_manifests_grow_too_large(shelf: Shelf, referrers: ReferrerService) -> None:
    raws = [await refer(shelf, "a/b", text="x" * 2_500_000, n=str(number)) for number in range(2)]
    first = await referrers.list(REGISTRY, NAME, Digest.of(SUBJECT), None, None, EVERYTHING)
    assert [item.digest for item in first.items] == [Digest.of(raws[0])]
    rest = await referrers.list(REGISTRY, NAME, Digest.of(SUBJECT), None, None, PageRequest(9, first.next_key))
    assert ([item.digest for item in rest.items], rest.next_key) == ([Digest.of(raws[1])], None)


async def test_nobody_refers_and_no_repository(shelf: Shelf, referrers: ReferrerService) -> None:
    page = await referrers.list(REGISTRY, NAME, Digest.of(b""), None, None, EVERYTHING)
    assert (page.items, page.next_key) == ([], None)
    with pytest.raises(RepositoryNotFound):
        await referrers.list(REGISTRY, RepositoryName("no/where"), Digest.of(b""), None, None, EVERYTHING)
