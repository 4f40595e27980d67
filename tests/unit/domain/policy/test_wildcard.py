"""Wildcards: what they match, and that no pattern of any length makes them try places over and over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from entrepot.domain.policy.wildcard import Pattern, Wild, pattern_of


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("**", "", True),
        ("?", "", False),
        ("?", "ab", False),
        ("??", "ab", True),
        ("*?", "", False),
        ("*?", "ab", True),
        ("?*?", "a", False),
        ("?*?", "ab", True),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("*a", "ab", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("ab*ba", "aba", False),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "abb-ab", True),
        ("*ab*ab*", "aab-b", False),
        ("*a?c*", "aac-abc", True),
        ("*a?c*d", "abc-abcd", True),
        ("*?b?*", "ab", False),
        ("*a?b*", "aaab", True),
        ("a\nb*", "a\nb\n", True),
        ("[a]*", "a", False),
        ("é?*", "éü", True),
    ],
)
def test_match(pattern: str, text: str, matches: bool) -> None:
    assert pattern_of(pattern).matches(text) == matches


def test_a_chunk_that_nearly_fits_everywhere_is_found_where_it_fits() -> None:
    near = "ab" * 400
    assert pattern_of("*a?a?c*").matches(near + "abac" + "abaxc" + near)
    assert not pattern_of("*a?a?c*").matches(near + "abac" + near)
    assert pattern_of("*a?a?c").matches(near + "axaxc")
    assert not pattern_of("x*a?a?c*").matches(near + "axaxc")


def test_tokens_from_elsewhere_are_literal() -> None:
    pattern = Pattern(["a", Wild.MANY, "*", "b"])
    assert pattern.matches("a-*b")
    assert not pattern.matches("a--b")
    assert Pattern(["a", "", "b"]).exact == "ab"


_LONGEST = 10_240
"""Characters of a repository policy; no pattern is longer."""


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * (_LONGEST // 2), "a" * 8_000),
        ("*a" * 3_000 + "*b", "a" * 8_000),
        ("*" + "a?" * 2_000 + "b*", "a" * 8_000),
        ("*" + "?a" * 3_000 + "b*c*", "a" * 8_000),
        ("*" + "a" * 4_000 + "?b*", "a" * 8_000),
        (
            "*" + "".join(map(chr, range(0x4E00, 0x4E00 + 4_000))) + "?b*",
            "".join(map(chr, range(0x4E00, 0x4E00 + 8_000))),
        ),
        ("*" + "ab?" * 1_000 + "*" + "ba?" * 1_000 + "x*", "ab" * 4_000),
        ("*a?b" * 26 + "*c", ("a" * 300 + "axb") * 26 + "c"),
        ("?" * 4_000 + "*" + "?" * 3_999 + "b", "a" * 8_000),
    ],
    ids=["many", "many-b", "one", "one-first", "run", "distinct", "two-chunks", "many-chunks", "ones"],
)
def test_work_grows_with_the_text_not_with_its_places(pattern: str, text: str) -> None:
    """Lines run, which no machine is too busy for: a matcher that went back would run millions."""
    compiled = pattern_of(pattern)
    with _lines() as lines:
        compiled.matches(text)
    assert lines[0] < 12 * (len(pattern) + len(text))


@contextmanager
def _lines() -> Iterator[list[int]]:
    """Lines of Python run within, generators included."""
    count = [0]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        count[0] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)
