"""Repository names: the grammar of ECR."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.domain.error import NameInvalid
from entrepot.domain.repository import parse_repository_name


@pytest.mark.parametrize("text", ["ab", "a/b", "my-app/back_end", "a__b", "a--b", "a.b/c-d/e_f", "00", "a" * 256])
def test_accepts(text: str) -> None:
    assert parse_repository_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "A/b",
        "/ab",
        "ab/",
        "a//b",
        "-ab",
        "ab-",
        "a..b",
        "a___b",
        "a._b",
        "a b",
        "ab\n",
        "ä",
        "a" * 257,
        "a/../b",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(NameInvalid):
        parse_repository_name(text)


@given(text=st.text(max_size=300))
def test_never_raises_anything_else(text: str) -> None:
    with contextlib.suppress(NameInvalid):
        parse_repository_name(text)


def test_adversarial_text_is_fast() -> None:
    started = time.perf_counter()
    for text in ("a" * 255 + "!", "a-" * 127 + "!", "a__" * 85, "a/" * 127 + "."):
        with pytest.raises(NameInvalid):
            parse_repository_name(text)
    assert time.perf_counter() - started < 0.1
