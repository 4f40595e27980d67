"""Lists of images: ids, details and tags of a repository in pages that stay true while it changes.

Spec: ECR API, ListImages and DescribeImages; OCI Distribution 1.1, "Listing tags".

Every list goes on after a key, in the order of row ids (images) or of (lower-case name, name) (tags): what is there
during the whole walk is seen exactly once, whatever comes and goes beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

from sqlalchemy import Connection

from entrepot.domain.error import ImageNotFound, InvalidParameter
from entrepot.domain.image import FailureCode, ImageDetail, ImageFilter
from entrepot.domain.limit import FILTERED_IMAGES_MAX
from entrepot.domain.page import Key, Page, PageRequest
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.registry import Registry
from entrepot.service.image.naming import read_names
from entrepot.store.metadata import image as images
from entrepot.store.metadata import tag as tag_rows
from entrepot.store.metadata.repository_key import get_repository_key

T = TypeVar("T")

_AFTER_ALL_TAGS: Final = "~"
"""Bytewise behind every tag: those consist of letters, digits, `.`, `_` and `-`."""


def count_images(connection: Connection, registry: Registry, name: str) -> int:
    """How many images a repository has."""
    key = get_repository_key(connection, registry, name, is_locked=False)
    return images.count_images(connection, key.id)


def list_image_ids(
    connection: Connection, registry: Registry, name: str, wanted: ImageFilter, page: PageRequest
) -> Page[ImageId]:
    """One entry per tag and one per untagged image."""
    key = get_repository_key(connection, registry, name, is_locked=False)
    end = images.find_page_end(connection, key.id, wanted, page, FILTERED_IMAGES_MAX)
    rows = images.list_image_ids(connection, key.id, wanted, _one_more(page), end)
    return _page(rows, page.size, None if end is None else (end, _AFTER_ALL_TAGS))


def describe_page(
    connection: Connection, registry: Registry, name: str, wanted: ImageFilter, page: PageRequest
) -> Page[ImageDetail]:
    """The images that fit the filter, oldest first."""
    key = get_repository_key(connection, registry, name, is_locked=False)
    end = images.find_page_end(connection, key.id, wanted, page, FILTERED_IMAGES_MAX)
    rows = images.describe_page(connection, key.id, wanted, _one_more(page), end)
    tags = tag_rows.tags_of(connection, [row_id for row_id, _ in rows[: page.size]]) if rows else {}
    return _page(
        [((row_id,), replace(detail, tags=tags.get(row_id, ()))) for row_id, detail in rows],
        page.size,
        None if end is None else (end,),
    )


def describe_named(
    connection: Connection, registry: Registry, name: str, image_ids: Sequence[ImageId], wanted: ImageFilter
) -> Page[ImageDetail]:
    """The images that are named and fit the filter, each once, in the order they were named.

    Raises:
        ImageNotFound: one of them is not there, or its tag is on another image than its digest.
        InvalidParameter: an id without digest and tag.
    """
    key = get_repository_key(connection, registry, name, is_locked=False)
    names = read_names(connection, key.id, image_ids)
    order: dict[int, None] = {}
    for image_id in image_ids:
        found = names.find(image_id)
        if found is FailureCode.MISSING_DIGEST_AND_TAG:
            raise InvalidParameter("imageIds", "both tag and digest cannot be null")
        if isinstance(found, FailureCode):
            raise ImageNotFound(registry, name, image_id)
        order[found] = None
    details = images.describe_images(connection, order, wanted) if order else {}
    tags = tag_rows.tags_of(connection, details) if details else {}
    return Page([replace(details[row], tags=tags.get(row, ())) for row in order if row in details])


def list_tags(connection: Connection, registry: Registry, name: str, page: PageRequest) -> Page[Tag]:
    """Tags by (lower-case name, name); a page of size 0 is empty and says nothing of what follows."""
    key = get_repository_key(connection, registry, name, is_locked=False)
    rows = tag_rows.list_tags(connection, key.id, _one_more(page)) if page.size else []
    return _page([((tag.name.lower(), tag.name), tag) for tag in rows], page.size)


def _one_more(page: PageRequest) -> PageRequest:
    """One item beyond the page tells whether another page follows."""
    return PageRequest(page.size + 1, page.after)


def _page(rows: Sequence[tuple[Key, T]], size: int, end: Key | None = None) -> Page[T]:
    """`end` is the key up to which was looked, when there may be more beyond it."""
    shown = rows[:size]
    return Page([item for _, item in shown], shown[-1][0] if len(rows) > size else end)
