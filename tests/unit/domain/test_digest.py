"""Digests are read strictly and written back the same."""

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.domain.digest import Digest, hasher
from entrepot.domain.error import DigestInvalid


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@given(data=st.binary(max_size=64))
def test_of_and_parse_agree(algorithm: str, data: bytes) -> None:
    digest = Digest.of(data, algorithm)
    assert digest.hex == hashlib.new(algorithm, data).hexdigest()
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha512:" + "a" * 64,
        "md5:" + "a" * 32,
        "sha256:" + "a" * 64 + "\n",
        " sha256:" + "a" * 64,
        "sha256:" + "a" * 63 + "\u0661",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(DigestInvalid) as refused:
        Digest.parse(text)
    assert refused.value.text == text


@given(text=st.text(max_size=80))
def test_never_raises_anything_else(text: str) -> None:
    with contextlib.suppress(DigestInvalid):
        assert str(Digest.parse(text)) == text


def test_unknown_algorithm_has_no_hasher() -> None:
    with pytest.raises(DigestInvalid):
        hasher("md5")
