"""Lists of images and tags: order, filters, named images, pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import update

from entrepot.domain.digest import Digest
from entrepot.domain.error import ImageNotFound, InvalidParameter, RepositoryNotFound
from entrepot.domain.image import ImageFilter, ImageStatus, TagStatus
from entrepot.domain.page import Page, PageRequest
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.repository import RepositoryName
from entrepot.service.image import listing
from entrepot.store.metadata import schema
from tests.support.image import EVERYTHING, NAME, Shelf
from tests.support.service import REGISTRY

T = TypeVar("T")
NONE = RepositoryName("team/none")
ANY = ImageFilter()


async def archive(shelf: Shelf, raw: bytes) -> None:
    statement = update(schema.manifest).where(schema.manifest.c.digest == str(Digest.of(raw)))
    await shelf.database.write(lambda connection: connection.execute(statement.values(status="ARCHIVED")))


async def test_filters_choose_by_tags_and_status(shelf: Shelf) -> None:
    tagged, untagged, archived = await shelf.image("1", "a"), await shelf.image("2"), await shelf.image("3", "c")
    await archive(shelf, archived)
    expected = {
        (TagStatus.ANY, ImageStatus.ACTIVE): [tagged, untagged],
        (TagStatus.TAGGED, ImageStatus.ACTIVE): [tagged],
        (TagStatus.UNTAGGED, ImageStatus.ACTIVE): [untagged],
        (TagStatus.ANY, ImageStatus.ARCHIVED): [archived],
        (TagStatus.ANY, None): [tagged, untagged, archived],
        (TagStatus.TAGGED, None): [tagged, archived],
    }
    for (tag_status, status), raws in expected.items():
        wanted = ImageFilter(tag_status, status)
        listed = await shelf.images.list(REGISTRY, NAME, wanted, EVERYTHING)
        described = await shelf.images.describe(REGISTRY, NAME, None, wanted, EVERYTHING)
        digests = [Digest.of(raw) for raw in raws]
        assert [image_id.digest for image_id in listed.items] == digests
        assert [detail.digest for detail in described.items] == digests


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_a_filtered_page_looks_at_few_images_and_the_walk_sees_all(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(listing, "FILTERED_IMAGES_MAX", 2)
    tags = [(), ("a",), ("b", "c", "d"), ("e",), ("f",), (), (), ("g",), ("h",)]
    digests = [Digest.of(await shelf.image(str(number), *names)) for number, names in enumerate(tags)]
    for status, is_wanted in ((TagStatus.UNTAGGED, False), (TagStatus.TAGGED, True)):
        wanted = [digest for digest, names in zip(digests, tags, strict=True) if bool(names) is is_wanted]
        entries = [d for d, names in zip(digests, tags, strict=True) if d in wanted for _ in names or ("",)]
        listed = await pages(partial(shelf.images.list, REGISTRY, NAME, ImageFilter(status)), size)
        assert [item.digest for page in listed for item in page] == entries
        described = await pages(partial(shelf.images.describe, REGISTRY, NAME, None, ImageFilter(status)), size)
        assert [detail.digest for page in described for detail in page] == wanted
        assert max(len(page) for page in described) <= 2


async def pages(read: Callable[[PageRequest], Awaitable[Page[T]]], size: int) -> list[list[T]]:
    """A walk through a list, page by page."""
    walked, after = [], None
    while True:
        page = await read(PageRequest(size, after))
        walked.append(page.items)
        if page.next_key is None:
            return walked
        assert after is None or page.next_key > after
        after = page.next_key


async def test_named_images_come_once_in_the_order_named(shelf: Shelf) -> None:
    first, second = await shelf.image("1", "a", "B"), await shelf.image("2")
    ids = [ImageId(Digest.of(second)), ImageId(tag=Tag("B")), ImageId(Digest.of(first)), ImageId(tag=Tag("a"))]
    page = await shelf.images.describe(REGISTRY, NAME, ids, ANY, EVERYTHING)
    assert [(detail.digest, detail.tags) for detail in page.items] == [
        (Digest.of(second), ()),
        (Digest.of(first), (Tag("a"), Tag("B"))),
    ]
    tagged = await shelf.images.describe(REGISTRY, NAME, ids, ImageFilter(TagStatus.TAGGED), EVERYTHING)
    assert [detail.digest for detail in tagged.items] == [Digest.of(first)]


async def test_one_missing_image_fails_the_whole_call(shelf: Shelf) -> None:
    first, second = await shelf.image("1", "a"), await shelf.image("2", "b")
    for wrong in (ImageId(tag=Tag("c")), ImageId(Digest.of(b"")), ImageId(Digest.of(second), Tag("a"))):
        with pytest.raises(ImageNotFound) as caught:
            await shelf.images.describe(REGISTRY, NAME, [ImageId(Digest.of(first)), wrong], ANY, EVERYTHING)
        assert caught.value.image_id == wrong
    with pytest.raises(InvalidParameter):
        await shelf.images.describe(REGISTRY, NAME, [ImageId()], ANY, EVERYTHING)


async def test_tags_are_listed_regardless_of_case(shelf: Shelf) -> None:
    await shelf.image("1", "b", "B", "a", "A1", "_x", "0", "Z", "a.b", "a-b")
    page = await shelf.images.list_tags(REGISTRY, NAME, EVERYTHING)
    assert [tag.name for tag in page.items] == ["0", "_x", "a", "a-b", "a.b", "A1", "B", "b", "Z"]
    assert page.next_key is None


async def test_a_page_of_tags_goes_on_after_any_name(shelf: Shelf) -> None:
    await shelf.image("1", "a", "B", "c")
    page = await shelf.images.list_tags(REGISTRY, NAME, PageRequest(1, ("aa", "AA")))
    assert (page.items, page.next_key) == ([Tag("B")], ("b", "B"))
    assert (await shelf.images.list_tags(REGISTRY, NAME, PageRequest(5, ("zz", "zz")))).items == []


async def test_a_page_of_no_tags_is_empty_and_last(shelf: Shelf) -> None:
    await shelf.image("1", "a")
    page = await shelf.images.list_tags(REGISTRY, NAME, PageRequest(0))
    assert (page.items, page.next_key) == ([], None)
    with pytest.raises(RepositoryNotFound):
        await shelf.images.list_tags(REGISTRY, NONE, PageRequest(0))


async def test_lists_of_a_missing_repository_are_refused(shelf: Shelf) -> None:
    with pytest.raises(RepositoryNotFound):
        await shelf.images.list(REGISTRY, NONE, ANY, EVERYTHING)
    with pytest.raises(RepositoryNotFound):
        await shelf.images.describe(REGISTRY, NONE, None, ANY, EVERYTHING)


async def test_a_walk_sees_what_stays_exactly_once_while_others_come_and_go(shelf: Shelf) -> None:
    raws = [await shelf.image(str(number), f"t{number}", f"u{number}") for number in range(6)]
    page = await shelf.images.list(REGISTRY, NAME, ANY, PageRequest(3))
    seen = list(page.items)
    await shelf.images.batch_delete(REGISTRY, NAME, [ImageId(Digest.of(raws[0])), ImageId(tag=Tag("t1"))])
    await shelf.put(raws[5], "a-new-one")
    while page.next_key is not None:
        page = await shelf.images.list(REGISTRY, NAME, ANY, PageRequest(3, page.next_key))
        seen += page.items
    names = [image_id.tag.name for image_id in seen if image_id.tag]
    assert [names.count(f"{kind}{n}") for n in range(1, 6) for kind in "tu" if (kind, n) != ("t", 1)] == [1] * 9
    assert names.count("a-new-one") == 1
