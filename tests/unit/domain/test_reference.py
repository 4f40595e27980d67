"""References: a digest if there is a colon, else an image tag."""

import pytest

from entrepot.domain.digest import Digest
from entrepot.domain.error import DigestInvalid, TagInvalid
from entrepot.domain.reference import Tag, parse_reference


@pytest.mark.parametrize("text", ["latest", "_", "V1.2-rc_3", "1", "a" * 128])
def test_tags(text: str) -> None:
    assert parse_reference(text) == Tag(text)


@pytest.mark.parametrize("text", ["", ".x", "-x", "a" * 129, "a b", "ä", "a/b", "x\n", "x\x00"])
def test_refused_tags(text: str) -> None:
    with pytest.raises(TagInvalid):
        parse_reference(text)


def test_digests() -> None:
    digest = Digest.of(b"")
    assert parse_reference(str(digest)) == digest
    with pytest.raises(DigestInvalid):
        parse_reference("sha256:zz")
