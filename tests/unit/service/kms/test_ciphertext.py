"""Ciphertexts open with their own key, version and encryption context only."""

from __future__ import annotations

from uuid import UUID

import pytest

from entrepot.service.kms.ciphertext import CiphertextBroken, Header, decrypt, encrypt, read_header

HEADER = Header(UUID("00112233-4455-6677-8899-aabbccddeeff"), 7)
MATERIAL = bytes(range(32))
CONTEXT = {"b": "2", "a": "ü"}
BLOB = encrypt(HEADER, MATERIAL, bytes(range(12)), b"secret", CONTEXT)


def test_it_opens_and_names_its_key() -> None:
    assert read_header(BLOB) == HEADER
    assert decrypt(BLOB, MATERIAL, dict(sorted(CONTEXT.items()))) == b"secret"


@pytest.mark.parametrize("context", [{}, {"a": "ü"}, CONTEXT | {"c": ""}, {"b": "ü", "a": "2"}, {"a": "ü", "b2": ""}])
def test_another_context_does_not_open_it(context: dict[str, str]) -> None:
    with pytest.raises(CiphertextBroken):
        decrypt(BLOB, MATERIAL, context)


@pytest.mark.parametrize("place", range(len(BLOB)))
def test_no_byte_can_be_changed(place: int) -> None:
    changed = BLOB[:place] + bytes([BLOB[place] ^ 1]) + BLOB[place + 1 :]
    with pytest.raises(CiphertextBroken):
        decrypt(changed, MATERIAL, CONTEXT)


@pytest.mark.parametrize("length", range(len(BLOB)))
def test_nothing_can_be_cut_off(length: int) -> None:
    with pytest.raises(CiphertextBroken):
        decrypt(BLOB[:length], MATERIAL, CONTEXT)


def test_other_material_does_not_open_it() -> None:
    with pytest.raises(CiphertextBroken):
        decrypt(BLOB, bytes(32), CONTEXT)
