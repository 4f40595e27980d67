"""Tags of users, roles and policies: pairs of key and value whose keys differ by more than case.

Spec: IAM user guide, "Tags for AWS Identity and Access Management resources", rules for tagging; IAM API, TagUser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from entrepot.domain.iam_error import InvalidInput, QuotaExceeded
from entrepot.domain.iam_limit import TAGS_MAX

DUPLICATE = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
RESERVED = "The tag key prefix 'aws:' is reserved for AWS and cannot be used."


def parse_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The tags of one request; lengths and characters are the shape's rules.

    Raises:
        InvalidInput: a key twice, in any case, or one that is reserved for AWS.
    """
    tags: dict[str, str] = {}
    seen: set[str] = set()
    for key, value in pairs:
        if key.lower() in seen:
            raise InvalidInput(DUPLICATE)
        if key.lower().startswith("aws:"):
            raise InvalidInput(RESERVED)
        seen.add(key.lower())
        tags[key] = value
    return tags


def merge_tags(present: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """All tags after `added` came: a key that is there in any case is replaced, its spelling too.

    Raises:
        QuotaExceeded: more than an entity can have.
    """
    replaced = {key.lower() for key in added}
    merged = {**{key: value for key, value in present.items() if key.lower() not in replaced}, **added}
    if len(merged) > TAGS_MAX:
        raise QuotaExceeded("TagsPerResource", TAGS_MAX)
    return merged
