"""Any sequence of pushes and deletions leaves what a naive twin in memory says, and pages put together are the list."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.domain.digest import Digest
from entrepot.domain.error import ImageAlreadyExists, ImageTagAlreadyExists, ReferencedImagesNotFound, RegistryError
from entrepot.domain.image import FailureCode, ImageDetail, ImageFilter, TagStatus
from entrepot.domain.page import Page, PageRequest
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.domain.tag_mutability import Mode, TagMutability
from entrepot.service.image import ImageService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata.base import Database
from tests.support.image import EVERYTHING, Shelf, image_manifest, index_manifest
from tests.support.service import REGISTRY

T = TypeVar("T")

MUTABILITY = TagMutability(Mode.MUTABLE_WITH_EXCLUSION, ("*B*", "a"))
"""Some tags of the examples are fixed, some move."""
TAGS = ["a", "A", "b", "B", "ab", "Ab", "AB", "aB1", "_", "a-b", "a.b", "0"]
LAYERS = [b"1", b"22", b"333"]
IMAGES = [image_manifest(layers=[layer]) for layer in LAYERS]
INDEXES = [index_manifest(IMAGES[:1]), index_manifest(IMAGES[1:]), index_manifest([])]
MANIFESTS = IMAGES + INDEXES
DIGESTS = [Digest.of(raw) for raw in MANIFESTS]
NUMBERS = itertools.count()

tags = st.sampled_from([Tag(name) for name in TAGS])
digests = st.sampled_from(DIGESTS)
image_ids = st.builds(ImageId, st.none() | digests, st.none() | tags)
puts = st.tuples(st.just("put"), st.sampled_from(range(len(MANIFESTS))), st.lists(tags, max_size=4), st.booleans())
batches = st.tuples(st.just("batch"), st.lists(image_ids, min_size=1, max_size=4))
deletions = st.tuples(st.just("delete"), tags | digests)


@dataclass
class Twin:
    """What a repository is, in the simplest words."""

    images: list[Digest] = field(default_factory=list)  # oldest first
    tags: dict[Tag, Digest] = field(default_factory=dict)

    def put(self, number: int, names: list[Tag], is_idempotent: bool) -> type[RegistryError] | None:
        digest = DIGESTS[number]
        if digest not in self.images and not all(child in self.images for child in children(digest)):
            return ReferencedImagesNotFound
        if any(MUTABILITY.is_fixed(name) and self.tags.get(name, digest) != digest for name in names):
            return ImageTagAlreadyExists
        is_there = digest in self.images and all(self.tags.get(name) == digest for name in names)
        if is_there and not is_idempotent:
            return ImageAlreadyExists
        if digest not in self.images:
            self.images.append(digest)
        self.tags.update(dict.fromkeys(names, digest))
        return None

    def find(self, image_id: ImageId) -> Digest | FailureCode:
        if image_id == ImageId():
            return FailureCode.MISSING_DIGEST_AND_TAG
        target = self.tags.get(image_id.tag) if image_id.tag else image_id.digest
        if target not in self.images:
            return FailureCode.IMAGE_NOT_FOUND
        matches = image_id.digest in (None, target)
        return target if matches else FailureCode.IMAGE_TAG_DOES_NOT_MATCH_DIGEST

    def delete(self, ids: list[ImageId], is_child_kept: bool) -> tuple[set[ImageId], dict[ImageId, FailureCode]]:
        found = {image_id: self.find(image_id) for image_id in ids}
        failures = {image_id: code for image_id, code in found.items() if isinstance(code, FailureCode)}
        gone: set[ImageId] = set()
        for digest in [image for image in reversed(self.images) if image in found.values()]:
            asked = [image_id for image_id, target in found.items() if target == digest]
            on_it = {name for name, target in self.tags.items() if target == digest}
            takes_all = any(image_id.tag is None for image_id in asked)
            takes = {image_id.tag for image_id in asked if image_id.tag}
            is_child = any(digest in children(parent) for parent in self.images)
            if is_child and (takes_all or takes == on_it):
                keeps = takes == on_it and not is_child_kept
                refused = [image_id for image_id in asked if keeps or image_id.tag is None]
                failures |= dict.fromkeys(refused, FailureCode.IMAGE_REFERENCED_BY_MANIFEST_LIST)
                removed = set() if keeps else takes
            else:
                removed = on_it if takes_all else takes
                if removed == on_it:
                    self.images.remove(digest)
                    gone |= {ImageId(digest)} if not on_it else set()
            for name in removed:
                del self.tags[name]
                gone.add(ImageId(digest, name))
        return gone, failures

    def entries(self, digest: Digest) -> list[ImageId]:
        names = sorted(name.name for name, target in self.tags.items() if target == digest)
        return [ImageId(digest, Tag(name)) for name in names] or [ImageId(digest)]


def children(digest: Digest) -> list[Digest]:
    return {DIGESTS[3]: DIGESTS[:1], DIGESTS[4]: DIGESTS[1:3]}.get(digest, [])


def by_name(names: list[Tag]) -> list[Tag]:
    return sorted(names, key=lambda tag: (tag.name.lower(), tag.name))


async def fresh_shelf(database: Database, images: ImageService, repositories: RepositoryService) -> Shelf:
    name = RepositoryName(f"property/r{next(NUMBERS)}")
    made = await repositories.create(REGISTRY, name, RepositorySettings(MUTABILITY), {})
    shelf = Shelf(database, images, made.id, name)
    await shelf.link(b"{}", *LAYERS)
    return shelf


async def act(shelf: Shelf, twin: Twin, action: tuple[Any, ...]) -> None:
    """Do one thing to both, and compare what they answer."""
    match action:
        case ("put", number, names, is_idempotent):
            expected = twin.put(number, names, is_idempotent)
            got: type[RegistryError] | None = None
            try:
                await shelf.put(MANIFESTS[number], *(name.name for name in names), is_idempotent=is_idempotent)
            except RegistryError as error:
                got = type(error)
            assert got == expected
        case ("batch", ids):
            deleted, failures = await shelf.images.batch_delete(REGISTRY, shelf.name, ids)
            gone, codes = twin.delete(ids, is_child_kept=False)
            assert (set(deleted), len(deleted)) == (gone, len(gone))
            # A tag named twice, with and without its digest, is refused once.
            assert {failure.code for failure in failures} == set(codes.values())
            assert {failure.image_id for failure in failures} <= codes.keys()
        case ("delete", reference):
            image_id = ImageId(tag=reference) if isinstance(reference, Tag) else ImageId(reference)
            _, codes = twin.delete([image_id], is_child_kept=True)
            is_refused = False
            try:
                await shelf.images.delete(REGISTRY, shelf.name, reference)
            except RegistryError:
                is_refused = True
            assert is_refused == bool(codes)


async def compare(shelf: Shelf, twin: Twin, size: int) -> None:
    """Every list, in pages of `size`, is what the twin says."""
    service, name = shelf.images, shelf.name
    untagged = [digest for digest in twin.images if digest not in twin.tags.values()]
    for tag_status, kept in (
        (TagStatus.ANY, twin.images),
        (TagStatus.UNTAGGED, untagged),
        (TagStatus.TAGGED, [digest for digest in twin.images if digest not in untagged]),
    ):
        wanted = ImageFilter(tag_status)
        listed = [item async for item in walk(partial(service.list, REGISTRY, name, wanted), size)]
        assert listed == [entry for digest in kept for entry in twin.entries(digest)]
        details = [item async for item in walk(partial(service.describe, REGISTRY, name, None, wanted), size)]
        assert [detail.digest for detail in details] == kept
    by_digest = {detail.digest: detail.tags for detail in (await everything(shelf)).items}
    for digest in twin.images:
        assert list(by_digest[digest]) == by_name([t for t, target in twin.tags.items() if target == digest])
    assert [tag async for tag in walk(partial(service.list_tags, REGISTRY, name), size)] == by_name(list(twin.tags))


async def everything(shelf: Shelf) -> Page[ImageDetail]:
    return await shelf.images.describe(REGISTRY, shelf.name, None, ImageFilter(), EVERYTHING)


async def walk(ask: Callable[[PageRequest], Awaitable[Page[T]]], size: int) -> AsyncIterator[T]:
    """The items of all pages."""
    page = await ask(PageRequest(size))
    while True:
        for item in page.items:
            yield item
        if page.next_key is None:
            return
        assert len(page.items) == size
        page = await ask(PageRequest(size, page.next_key))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(puts | puts | batches | deletions, max_size=20), size=st.integers(1, 4))
async def test_a_repository_is_what_its_twin_says(
    database: Database,
    image_service: ImageService,
    repository_service: RepositoryService,
    actions: list[tuple[Any, ...]],
    size: int,
) -> None:
    shelf, twin = await fresh_shelf(database, image_service, repository_service), Twin()
    for action in actions:
        await act(shelf, twin, action)
    await compare(shelf, twin, size)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.from_regex(r"[a-cA-C0_][a-cA-C0._-]{0,3}", fullmatch=True), unique=True, max_size=30),
    size=st.integers(1, 7),
    last=st.from_regex(r"[a-cA-C0_][a-cA-C0._-]{0,3}", fullmatch=True),
)
async def test_tags_of_any_case_are_paged_in_one_order(
    database: Database,
    image_service: ImageService,
    repository_service: RepositoryService,
    names: list[str],
    size: int,
    last: str,
) -> None:
    shelf = await fresh_shelf(database, image_service, repository_service)
    await shelf.put(IMAGES[0], *names)
    expected = by_name([Tag(name) for name in names])
    got = [tag async for tag in walk(partial(image_service.list_tags, REGISTRY, shelf.name), size)]
    assert got == expected
    rest = await image_service.list_tags(REGISTRY, shelf.name, PageRequest(100, (last.lower(), last)))
    assert rest.items == [tag for tag in expected if (tag.name.lower(), tag.name) > (last.lower(), last)]
