"""Ciphertexts of KMS: what Encrypt gives out and Decrypt takes, which name their key and the version of its material.

    1 ‖ key id (16 bytes) ‖ version (4 bytes, big-endian) ‖ nonce (12 random bytes) ‖ AES-256-GCM ciphertext and tag

Associated data is all that stands before the nonce, then the encryption context: for each pair, in the bytewise order
of the keys, the length in 4 bytes and the UTF-8 of the key, and the same of the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT: Final = b"\x01"
NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = 21
_BYTES_MIN: Final = _HEAD_BYTES + NONCE_BYTES + 16


class CiphertextBroken(Exception):
    """No ciphertext of ours, damaged, or made with another key or encryption context: nobody is told which."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which material opens a ciphertext."""

    key_id: UUID
    version: int
    """Counted from 1 with each rotation."""

    @property
    def raw(self) -> bytes:
        """As it stands in front."""
        return FORMAT + self.key_id.bytes + self.version.to_bytes(4)


def encrypt(header: Header, material: bytes, nonce: bytes, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """Encrypt with material of 32 bytes; the 12 bytes of `nonce` are random and used once."""
    return header.raw + nonce + AESGCM(material).encrypt(nonce, plaintext, _bound_to(header, context))


def read_header(blob: bytes) -> Header:
    """Which material a ciphertext asks for; nothing of it is proven before it is decrypted.

    Raises:
        CiphertextBroken: no ciphertext of ours.
    """
    if len(blob) < _BYTES_MIN or blob[:1] != FORMAT:
        raise CiphertextBroken
    return Header(UUID(bytes=blob[1:17]), int.from_bytes(blob[17:_HEAD_BYTES]))


def decrypt(blob: bytes, material: bytes, context: Mapping[str, str]) -> bytes:
    """The plaintext.

    Raises:
        CiphertextBroken: damaged, or made with other material or another encryption context.
    """
    bound = _bound_to(read_header(blob), context)
    body = _HEAD_BYTES + NONCE_BYTES
    try:
        return AESGCM(material).decrypt(blob[_HEAD_BYTES:body], blob[body:], bound)
    except InvalidTag as error:
        raise CiphertextBroken from error


def _bound_to(header: Header, context: Mapping[str, str]) -> bytes:
    pairs = sorted((key.encode(), value.encode()) for key, value in context.items())
    return header.raw + b"".join(len(part).to_bytes(4) + part for pair in pairs for part in pair)
