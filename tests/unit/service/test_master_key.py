"""Seals of the master key, and the format that they have had from the beginning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.domain.key import SealBroken
from entrepot.service.master_key import MasterKey, MasterKeys

MASTER, OTHER = bytes(range(32)), bytes(32)
PAGE = (Path(__file__).parents[3] / "docs/design/key.md").read_text(encoding="utf-8")


def fixed(count: int) -> bytes:
    """Bytes 00 01 02 …: in test vectors only."""
    return bytes(range(count))


def test_a_seal_opens_only_for_its_purpose_and_subject() -> None:
    key = MasterKey(MASTER)
    sealed = key.seal("secret", b"data", "row 1")
    assert key.unseal("secret", sealed, "row 1") == b"data"
    assert key.seal("secret", b"data", "row 1") != sealed
    for purpose, subject in (("other", "row 1"), ("secret", "row 2"), ("secret", "")):
        with pytest.raises(SealBroken):
            key.unseal(purpose, sealed, subject)
    with pytest.raises(SealBroken):
        MasterKey(OTHER).unseal("secret", sealed, "row 1")


@pytest.mark.parametrize("damage", [lambda s: s[:-1], lambda s: b"\2" + s[1:], lambda s: s[:5], lambda s: b""])
def test_a_damaged_seal_does_not_open(damage: Callable[[bytes], bytes]) -> None:
    key = MasterKey(MASTER)
    with pytest.raises(SealBroken):
        key.unseal("secret", damage(key.seal("secret", b"data")))


def test_a_key_that_came_later_is_looked_for_only_when_none_opens() -> None:
    looks: list[bytes] = []

    def find() -> list[bytes]:
        looks.append(b"")
        return [OTHER, MASTER]

    keys = MasterKeys(MASTER, fixed, find)
    assert keys.unseal("secret", MasterKey(MASTER).seal("secret", b"old")) == b"old"
    assert looks == []
    assert keys.unseal("secret", MasterKey(OTHER).seal("secret", b"new")) == b"new"
    assert keys.unseal("secret", MasterKey(OTHER).seal("secret", b"more")) == b"more"
    assert len(looks) == 1
    with pytest.raises(SealBroken):
        keys.unseal("secret", MasterKey(bytes([7] * 32)).seal("secret", b"foreign"))


@pytest.mark.parametrize(
    ("purpose", "subject", "data"),
    [("master-key-check", "", b"master-key-check"), ("encryption-domain", "account:123456789012", bytes(32))],
)
def test_the_format_is_that_of_the_page(purpose: str, subject: str, data: bytes) -> None:
    assert MasterKey(MASTER, fixed).seal(purpose, data, subject).hex() in PAGE
