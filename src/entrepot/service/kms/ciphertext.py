"""Ciphertexts of KMS: what Encrypt gives out and Decrypt takes, which name their key and the version of its material.

    1 ‖ account (5 bytes) ‖ key id (16) ‖ version (4) ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag

Numbers are big-endian. Each ciphertext has a key of its own, HKDF-SHA256 of the material with the salt, so that any
number of them can be made under one version. Associated data is all that stands before the nonce, then the key's ARN,
then the encryption context: its pairs in the bytewise order of their keys, each text as its length in 4 bytes and its
UTF-8.

Spec: RFC 5869 (HKDF); NIST SP 800-38D (GCM), whose limit of 2^32 random nonces holds for one key; KMS developer guide,
"Encryption context".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from entrepot.domain.kms import key_arn
from entrepot.domain.registry import Registry

FORMAT: Final = b"\x01"
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
FRESH_BYTES: Final = SALT_BYTES + NONCE_BYTES
"""Random bytes that each ciphertext needs."""

ACCOUNT_MAX: Final = 10**12 - 1
VERSION_MAX: Final = 2**31 - 1
"""The largest numbers that a header of ours has."""

_ACCOUNT_BYTES: Final = 5
_ID_END: Final = 1 + _ACCOUNT_BYTES + 16
_HEAD_BYTES: Final = _ID_END + 4
_BODY: Final = _HEAD_BYTES + FRESH_BYTES
_TAG_BYTES: Final = 16
_INFO: Final = b"entrepot kms ciphertext"


class CiphertextBroken(Exception):
    """No ciphertext of ours, damaged, or made with another key or encryption context: nobody is told which."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which material opens a ciphertext."""

    account_id: str
    key_id: str
    """A UUID."""
    version: int
    """Counted from 1 with each rotation."""

    @property
    def raw(self) -> bytes:
        """As it stands in front."""
        account = int(self.account_id).to_bytes(_ACCOUNT_BYTES)
        return FORMAT + account + UUID(self.key_id).bytes + self.version.to_bytes(4)

    def arn(self, region: str) -> str:
        """Of the key, if it is one of that region."""
        return key_arn(Registry(self.account_id, region), self.key_id)


def seal(
    header: Header, region: str, material: bytes, fresh: bytes, plaintext: bytes, context: Mapping[str, str]
) -> bytes:
    """Encrypt with material of 32 bytes; `fresh` is 28 random bytes that are used once."""
    salt, nonce = fresh[:SALT_BYTES], fresh[SALT_BYTES:]
    bound = _bound_to(header, region, salt, context)
    return header.raw + salt + nonce + AESGCM(_derived(material, salt)).encrypt(nonce, plaintext, bound)


def read_header(blob: bytes) -> Header:
    """Which material a ciphertext asks for; nothing of it is proven before it is opened.

    Raises:
        CiphertextBroken: no ciphertext of ours.
    """
    if len(blob) < _BODY + _TAG_BYTES or blob[:1] != FORMAT:
        raise CiphertextBroken
    account, version = int.from_bytes(blob[1 : 1 + _ACCOUNT_BYTES]), int.from_bytes(blob[_ID_END:_HEAD_BYTES])
    if account > ACCOUNT_MAX or not 0 < version <= VERSION_MAX:
        raise CiphertextBroken  # before a database is asked for a number that it cannot hold
    return Header(f"{account:012}", str(UUID(bytes=blob[1 + _ACCOUNT_BYTES : _ID_END])), version)


def unseal(blob: bytes, region: str, material: bytes, context: Mapping[str, str]) -> bytes:
    """The plaintext.

    Raises:
        CiphertextBroken: damaged, of another region, or made with other material or another encryption context.
    """
    header, salt = read_header(blob), blob[_HEAD_BYTES : _HEAD_BYTES + SALT_BYTES]
    bound = _bound_to(header, region, salt, context)
    try:
        return AESGCM(_derived(material, salt)).decrypt(blob[_HEAD_BYTES + SALT_BYTES : _BODY], blob[_BODY:], bound)
    except InvalidTag as error:
        raise CiphertextBroken from error


def _derived(material: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, _INFO).derive(material)


def _bound_to(header: Header, region: str, salt: bytes, context: Mapping[str, str]) -> bytes:
    pairs = sorted((key.encode(), value.encode()) for key, value in context.items())
    texts = [header.arn(region).encode(), *(part for pair in pairs for part in pair)]
    return header.raw + salt + b"".join(len(text).to_bytes(4) + text for text in texts)
