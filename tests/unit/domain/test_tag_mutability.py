"""The matrix of tag mutability and its wildcard filters."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.domain.error import InvalidParameter
from entrepot.domain.reference import Tag
from entrepot.domain.tag_mutability import TagMutability, parse_tag_mutability, wildcard_match


@pytest.mark.parametrize(
    ("mode", "filters", "tag", "fixed"),
    [
        ("MUTABLE", None, "v1", False),
        ("IMMUTABLE", None, "v1", True),
        ("IMMUTABLE_WITH_EXCLUSION", ("dev-*",), "dev-1", False),
        ("IMMUTABLE_WITH_EXCLUSION", ("dev-*",), "v1", True),
        ("MUTABLE_WITH_EXCLUSION", ("v*", "prod"), "v1", True),
        ("MUTABLE_WITH_EXCLUSION", ("v*", "prod"), "prod", True),
        ("MUTABLE_WITH_EXCLUSION", ("v*", "prod"), "prod2", False),
    ],
)
def test_matrix(mode: str, filters: tuple[str, ...] | None, tag: str, fixed: bool) -> None:
    assert parse_tag_mutability(mode, filters).is_fixed(Tag.parse(tag)) is fixed


@pytest.mark.parametrize(
    ("mode", "filters"),
    [
        ("MUTABLE", ("x",)),
        ("IMMUTABLE", ()),
        ("IMMUTABLE_WITH_EXCLUSION", None),
        ("IMMUTABLE_WITH_EXCLUSION", ()),
        ("MUTABLE_WITH_EXCLUSION", ("a",) * 6),
        ("MUTABLE_WITH_EXCLUSION", ("a b",)),
        ("MUTABLE_WITH_EXCLUSION", ("",)),
        ("MUTABLE_WITH_EXCLUSION", ("*a*b*",)),
        ("MUTABLE_WITH_EXCLUSION", ("a" * 129,)),
    ],
)
def test_refuses(mode: str, filters: tuple[str, ...] | None) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_tag_mutability(mode, filters)
    assert refused.value.field == "imageTagMutabilityExclusionFilters"


def test_default_is_mutable() -> None:
    assert not TagMutability().is_fixed(Tag("x"))


@given(pattern=st.text("ab*", max_size=8), text=st.text("ab", max_size=8))
def test_wildcards_agree_with_a_regular_expression(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert wildcard_match(pattern, text) is expected


def test_wildcards_are_linear() -> None:
    started = time.perf_counter()
    assert not wildcard_match("*a" * 60 + "*b", "a" * 20_000)
    assert time.perf_counter() - started < 1
