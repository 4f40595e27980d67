"""ECR's words for broken constraints, where they are not those of AWS's framework.

The framework checks lengths of lists, values and enums, and says `Member must …` of the whole list when one of its
items is wrong. Patterns of single texts, and everything about repository names, ECR checks itself and says so in
words of its own:

    maxResults      Member must have value less than or equal to 1000
    registryIds     Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]
    repositoryName  must have length greater than or equal to 2
    imageDigest     must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'

Spec: none is published; answers of ECR as people quote them in public issue threads.
"""

from __future__ import annotations

import re
from typing import Final

IMAGE_DIGEST_PATTERN: Final = "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"
"""What ECR takes for an image's or a layer's digest: more than what we store."""
IMAGE_TAG_PATTERN: Final = "[a-zA-Z0-9-_.]+"
"""What ECR takes for a tag: more than what we store."""

_DIGEST = re.compile(r"[a-zA-Z0-9\-_+.]+:[a-fA-F0-9]+")
_TAG = re.compile(r"[a-zA-Z0-9\-_.]+")
_LIST_ITEM = re.compile(r"(.+)\.\d+\.member")
_PATTERN_RULE: Final = "Member must satisfy regular expression pattern: "
_LENGTH_RULE: Final = "Member must have length"


def ecr_words(path: str, rule: str) -> tuple[str, str]:
    """The path and rule that ECR names for what the framework calls `rule` at `path`."""
    item = _LIST_ITEM.fullmatch(path)
    if path == "repositoryName" or (item and item[1] == "repositoryNames"):
        return "repositoryName", _own_words("repositoryName", rule.replace(_LENGTH_RULE, "must have length"))
    if item:
        return item[1], f"Member must satisfy constraint: [{rule}]"
    return path, _own_words(path, rule)


def pattern_rule(pattern: str) -> str:
    """What ECR says of a text that does not fit a pattern."""
    return f"must satisfy regular expression '{pattern}'"


def is_ecr_digest(text: str) -> bool:
    """Whether ECR takes a text for a digest."""
    return _DIGEST.fullmatch(text) is not None


def digest_rule(text: str) -> str:
    """What is wrong with a text that is no digest of ours."""
    if is_ecr_digest(text):
        return "must be sha256: with 64 or sha512: with 128 lower-case hexadecimal digits"
    return pattern_rule(IMAGE_DIGEST_PATTERN)


def tag_rule(text: str) -> str:
    """What is wrong with a text that is no tag of ours."""
    if _TAG.fullmatch(text):
        return "must have at most 128 characters and must not begin with a dot or a dash"
    return pattern_rule(IMAGE_TAG_PATTERN)


def _own_words(path: str, rule: str) -> str:
    if not rule.startswith(_PATTERN_RULE):
        return rule
    pattern = rule.removeprefix(_PATTERN_RULE).replace(r"\/", "/")
    # The one pattern that ECR quotes without quotation marks.
    return f"must satisfy regular expression {pattern}" if path == "registryId" else pattern_rule(pattern)
