"""Resource tags: the key and value pairs on a repository.

Spec: ECR API, Tag; AWS General Reference, "Tag naming limits and requirements".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from entrepot.domain.error import InvalidTagParameter, TooManyTags
from entrepot.domain.limit import (
    RESOURCE_TAG_KEY_LENGTH_MAX,
    RESOURCE_TAG_VALUE_LENGTH_MAX,
    RESOURCE_TAGS_MAX,
)

_ALLOWED = re.compile(r"[\w\s+\-=._:/@]*")


def parse_resource_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Check the tags of one request.

    Raises:
        InvalidTagParameter: a key or value too long, reserved, doubled or with a forbidden character.
        TooManyTags: more than a repository can have.
    """
    tags: dict[str, str] = {}
    for key, value in pairs:
        check_key(key)
        if len(value) > RESOURCE_TAG_VALUE_LENGTH_MAX or not _ALLOWED.fullmatch(value):
            raise InvalidTagParameter(f"The value of the tag '{key}' is too long or has a forbidden character")
        if key in tags:
            raise InvalidTagParameter(f"The tag key '{key}' is given more than once")
        tags[key] = value
    if len(tags) > RESOURCE_TAGS_MAX:
        raise TooManyTags(RESOURCE_TAGS_MAX)
    return tags


def check_key(key: str) -> None:
    """Check one tag key.

    Raises:
        InvalidTagParameter: empty, too long, reserved for AWS, or with a forbidden character.
    """
    if not 1 <= len(key) <= RESOURCE_TAG_KEY_LENGTH_MAX or not _ALLOWED.fullmatch(key):
        raise InvalidTagParameter(f"The tag key '{key}' is empty, too long or has a forbidden character")
    if key.lower().startswith("aws:"):
        raise InvalidTagParameter(f"The tag key '{key}' starts with aws:, which is reserved")


def merge(existing: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """The tags after TagResource; the same key overwrites.

    Raises:
        TooManyTags: the union is larger than a repository can have.
    """
    merged = {**existing, **added}
    if len(merged) > RESOURCE_TAGS_MAX:
        raise TooManyTags(RESOURCE_TAGS_MAX)
    return merged
