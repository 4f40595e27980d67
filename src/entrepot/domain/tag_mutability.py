"""Tag mutability: which image tags of a repository may move to another image.

Spec: ECR API, ImageTagMutability and ImageTagMutabilityExclusionFilter; user guide, "Image tag mutability".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from entrepot.domain.error import InvalidParameter
from entrepot.domain.reference import Tag

FILTERS_MAX = 5
WILDCARDS_PER_FILTER_MAX = 2
_FILTER = re.compile(r"[0-9a-zA-Z._*-]{1,128}")


class Mode(StrEnum):
    """The base rule of a repository."""

    MUTABLE = "MUTABLE"
    IMMUTABLE = "IMMUTABLE"
    IMMUTABLE_WITH_EXCLUSION = "IMMUTABLE_WITH_EXCLUSION"
    MUTABLE_WITH_EXCLUSION = "MUTABLE_WITH_EXCLUSION"


@dataclass(frozen=True, slots=True)
class TagMutability:
    """A mode and, for the two modes with exclusions, the wildcard filters of the exceptions."""

    mode: Mode = Mode.MUTABLE
    filters: tuple[str, ...] = ()

    def is_fixed(self, tag: Tag) -> bool:
        """Whether the tag must stay on its image; deleting it is always allowed."""
        excluded = any(wildcard_match(pattern, tag.name) for pattern in self.filters)
        match self.mode:
            case Mode.MUTABLE:
                return False
            case Mode.IMMUTABLE:
                return True
            case Mode.IMMUTABLE_WITH_EXCLUSION:
                return not excluded
            case Mode.MUTABLE_WITH_EXCLUSION:
                return excluded


def parse_tag_mutability(mode: str, filters: tuple[str, ...] | None) -> TagMutability:
    """Build the setting from what a caller sent; `filters` is None when none were sent.

    Raises:
        InvalidParameter: filters without such a mode, none with one, or a malformed filter.
    """
    field = "imageTagMutabilityExclusionFilters"
    parsed = Mode(mode)
    if not parsed.endswith("_WITH_EXCLUSION"):
        if filters is not None:
            raise InvalidParameter(
                field, f"ImageTagMutabilityExclusionFilters must be null when imageTagMutability is set as {mode}"
            )
        return TagMutability(parsed)
    if not filters:
        raise InvalidParameter(
            field, f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mode}"
        )
    if len(filters) > FILTERS_MAX:
        raise InvalidParameter(field, f"Member must have length less than or equal to {FILTERS_MAX}")
    for text in filters:
        if not _FILTER.fullmatch(text):
            raise InvalidParameter(field, "Member must satisfy regular expression pattern: ^[0-9a-zA-Z._*-]{1,128}$")
        if text.count("*") > WILDCARDS_PER_FILTER_MAX:
            raise InvalidParameter(field, f"A filter can have at most {WILDCARDS_PER_FILTER_MAX} wildcards (*)")
    return TagMutability(parsed, filters)


def wildcard_match(pattern: str, text: str) -> bool:
    """Whether `text` fits `pattern`, in which `*` stands for any run of characters. Linear time."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if len(first) + len(last) > len(text) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
