"""Ciphertexts open with their own key, version, region and encryption context only, and their form never changes."""

from __future__ import annotations

import hashlib

import pytest

from entrepot.service.kms.ciphertext import FRESH_BYTES, CiphertextBroken, Header, read_header, seal, unseal

REGION = "us-east-1"
HEADER = Header("012345678901", "00112233-4455-6677-8899-aabbccddeeff", 7)
MATERIAL = bytes(range(32))
CONTEXT = {"b": "2", "a": "ü"}
BLOB = seal(HEADER, REGION, MATERIAL, bytes(range(FRESH_BYTES)), b"secret", CONTEXT)


def test_it_opens_and_names_its_key() -> None:
    assert read_header(BLOB) == HEADER
    assert unseal(BLOB, REGION, MATERIAL, dict(sorted(CONTEXT.items()))) == b"secret"


def test_the_form_stays_as_it_is() -> None:
    """What was encrypted once is decrypted by every later version."""
    assert hashlib.sha256(BLOB).hexdigest() == "6e9c3c1ae91ca2e2f9096e2db62a5240d9a789e01311fb5d3f1889271ba3c91b"


@pytest.mark.parametrize("context", [{}, {"a": "ü"}, CONTEXT | {"c": ""}, {"b": "ü", "a": "2"}, {"a": "ü", "b2": ""}])
def test_another_context_does_not_open_it(context: dict[str, str]) -> None:
    with pytest.raises(CiphertextBroken):
        unseal(BLOB, REGION, MATERIAL, context)


def test_another_region_or_material_does_not_open_it() -> None:
    for region, material in (("eu-west-1", MATERIAL), (REGION, bytes(32))):
        with pytest.raises(CiphertextBroken):
            unseal(BLOB, region, material, CONTEXT)


@pytest.mark.parametrize("place", range(len(BLOB)))
def test_no_byte_can_be_changed(place: int) -> None:
    changed = BLOB[:place] + bytes([BLOB[place] ^ 1]) + BLOB[place + 1 :]
    with pytest.raises(CiphertextBroken):
        unseal(changed, REGION, MATERIAL, CONTEXT)


@pytest.mark.parametrize("length", range(len(BLOB)))
def test_nothing_can_be_cut_off(length: int) -> None:
    with pytest.raises(CiphertextBroken):
        unseal(BLOB[:length], REGION, MATERIAL, CONTEXT)


@pytest.mark.parametrize(("place", "raw"), [(1, (10**12).to_bytes(5)), (22, bytes(4)), (22, (2**31).to_bytes(4))])
def test_numbers_that_no_key_can_have(place: int, raw: bytes) -> None:
    with pytest.raises(CiphertextBroken):
        read_header(BLOB[:place] + raw + BLOB[place + len(raw) :])


def test_accounts_and_versions_of_any_size() -> None:
    for header in (Header("999999999999", HEADER.key_id, 2**31 - 1), Header("000000000000", HEADER.key_id, 1)):
        blob = seal(header, REGION, MATERIAL, bytes(FRESH_BYTES), b"", {})
        assert read_header(blob) == header
        assert unseal(blob, REGION, MATERIAL, {}) == b""
