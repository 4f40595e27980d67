"""Page tokens open for their own question only."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.domain.error import InvalidParameter
from entrepot.domain.key import SigningKey
from entrepot.domain.page import Key
from entrepot.transport.aws.page_token import seal, unseal


class Keys:
    """Signing keys that a test can rotate."""

    def __init__(self) -> None:
        self.keys = [SigningKey("00" * 8, bytes(range(32)))]

    def signing_key(self, purpose: str) -> SigningKey:
        assert purpose == "page-token"
        return self.keys[0]

    def verification_key(self, purpose: str, key_id: str) -> SigningKey | None:
        return next((key for key in self.keys if key.id == key_id), None)


@given(st.lists(st.integers(0, 2**62) | st.text(max_size=20), max_size=3), st.binary(max_size=40))
def test_a_key_comes_back(items: list[int | str], question: bytes) -> None:
    key: Key = tuple(items)

    assert unseal(Keys(), question, seal(Keys(), question, key)) == key


def test_nothing_of_the_key_shows_and_no_two_tokens_are_alike() -> None:
    one, two = seal(Keys(), b"q", (12345, "secret")), seal(Keys(), b"q", (12345, "secret"))

    assert one != two
    assert b"secret" not in base64.urlsafe_b64decode(one)
    assert b"12345" not in base64.urlsafe_b64decode(one)


def test_a_retired_key_still_opens() -> None:
    keys = Keys()
    token = seal(keys, b"q", (1,))
    keys.keys.insert(0, SigningKey("11" * 8, bytes(32)))

    assert unseal(keys, b"q", token) == (1,)


@pytest.mark.parametrize("change", ["question", "byte", "key id", "short", "empty", "text", "unknown key"])
def test_anything_else_is_invalid(change: str) -> None:
    keys = Keys()
    raw = base64.urlsafe_b64decode(seal(keys, b"q", (1,)))
    changed = {
        "byte": raw[:-1] + bytes([raw[-1] ^ 1]),
        "key id": b"\x01" + raw[1:],
        "short": raw[:10],
        "empty": b"",
    }
    token = base64.urlsafe_b64encode(changed.get(change, raw)).decode()
    if change == "unknown key":
        keys.keys = [SigningKey("22" * 8, bytes(32))]

    with pytest.raises(InvalidParameter):
        unseal(keys, b"other" if change == "question" else b"q", "é!" if change == "text" else token)
