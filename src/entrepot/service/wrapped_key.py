"""Wrapped keys: data keys of objects under the key of an encryption domain or of a repository.

    1 ‖ nonce (12 random bytes) ‖ AES-256-GCM ciphertext of the data key ‖ tag (16)

Associated data is `blob-key ‖ 0 ‖ storage key`, so that a wrapped key that was copied to another object does not open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.domain.key import SealBroken

WRAP_VERSION: Final = b"\x01"
NONCE_BYTES: Final = 12


def wrap(key: bytes, storage_key: str, data_key: bytes, random_bytes: Callable[[int], bytes]) -> bytes:
    """Wrap the data key of an object under a key of 32 bytes."""
    nonce = random_bytes(NONCE_BYTES)
    return WRAP_VERSION + nonce + AESGCM(key).encrypt(nonce, data_key, _bound_to(storage_key))


def unwrap(key: bytes, storage_key: str, wrapped: bytes) -> bytes:
    """The data key of an object.

    Raises:
        SealBroken: damaged, or wrapped for another object or under another key.
    """
    nonce, sealed = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
    if wrapped[:1] != WRAP_VERSION:
        raise SealBroken("blob-key")
    try:
        return AESGCM(key).decrypt(nonce, sealed, _bound_to(storage_key))
    except (InvalidTag, ValueError) as error:
        raise SealBroken("blob-key") from error


def _bound_to(storage_key: str) -> bytes:
    return b"blob-key\0" + storage_key.encode()
