"""Cryptography of KMS: texts encrypted and decrypted with a key, data keys made with one, contexts in the log.

Spec: KMS API, Encrypt, Decrypt, ReEncrypt, GenerateDataKey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from entrepot.domain.kms import KmsKey, key_arn, parse_key_name
from entrepot.domain.kms_error import CiphertextInvalid, CiphertextKeyUnknown, KeyIncorrect, KeyNotFound
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.kms.ciphertext import FRESH_BYTES, CiphertextBroken, Header, read_header, seal, unseal
from entrepot.service.kms.key import KmsKeys, Material, check_usable

EncryptionContext = Mapping[str, str]

NO_CONTEXT: Final[EncryptionContext] = {}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was encrypted."""

    blob: bytes
    material_id: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What was decrypted."""

    plaintext: bytes = field(repr=False)
    material_id: str


class KmsCryptography:
    """Uses keys, for one worker. Who may is decided before; the state of a key is checked here."""

    def __init__(self, keys: KmsKeys, context: Context) -> None:
        self._keys, self._context = keys, context

    async def encrypt(self, key: KmsKey, plaintext: bytes, context: EncryptionContext, caller: str | None) -> Sealed:
        """Encrypt with the newest material. `caller` is for the log, as are key and context; None: nobody gets it.

        Raises:
            KeyDisabled, KeyStateInvalid, KeyNotFound
        """
        check_usable(key)
        material = await self._keys.current_material(key)
        header = Header(key.place.account_id, key.id, material.version)
        fresh = self._context.random_bytes(FRESH_BYTES)
        blob = seal(header, key.place.region, material.secret, fresh, plaintext, context)
        _note("kms.encrypted", key, context, caller)
        return Sealed(blob, material.id)

    async def decrypt(self, key: KmsKey, blob: bytes, context: EncryptionContext, caller: str | None) -> Opened:
        """Decrypt with the material that the ciphertext names.

        Raises:
            KeyIncorrect: it was encrypted with another key.
            CiphertextInvalid: damaged, or encrypted with another context.
            KeyDisabled, KeyStateInvalid
        """
        check_usable(key)
        try:
            header = read_header(blob)
            if header.arn(key.place.region) != key.arn:
                raise KeyIncorrect
            plaintext, material = await self._open(key, header, blob, context)
        except CiphertextBroken as error:
            raise CiphertextInvalid from error
        _note("kms.decrypted", key, context, caller)
        return Opened(plaintext, material.id)

    async def generate(
        self, key: KmsKey, size: int, context: EncryptionContext, caller: str | None
    ) -> tuple[bytes, Sealed]:
        """A data key of so many bytes, open and encrypted.

        Raises:
            KeyDisabled, KeyStateInvalid, KeyNotFound
        """
        plain = self._context.random_bytes(size)
        return plain, await self.encrypt(key, plain, context, caller)

    async def find_of(self, own: Registry, blob: bytes) -> KmsKey:
        """The key that a ciphertext says that it was made with.

        Raises:
            CiphertextInvalid: it is no ciphertext of ours.
            CiphertextKeyUnknown: there is no such key in this region.
        """
        try:
            return await self._keys.find(own, arn_of(own, blob))
        except KeyNotFound as error:
            raise CiphertextKeyUnknown from error

    async def _open(
        self, key: KmsKey, header: Header, blob: bytes, context: EncryptionContext
    ) -> tuple[bytes, Material]:
        material = await self._keys.material(key, header.version)
        if material is None:
            raise CiphertextBroken
        return unseal(blob, key.place.region, material.secret, context), material


def _note(event: str, key: KmsKey, context: EncryptionContext, caller: str | None) -> None:
    if caller is not None:
        _log.info(event, key=key.arn, context=dict(context), by=caller)


def arn_of(own: Registry, blob: bytes, identifier: str | None = None) -> str:
    """The ARN of the key or alias that decrypts a ciphertext, existing or not, in the region of `own`.

    Raises:
        CiphertextInvalid: no key is named and it is no ciphertext of ours.
        KmsError: no identifier of a key.
    """
    if identifier is not None:
        return parse_key_name(identifier, own).arn
    try:
        header = read_header(blob)
    except CiphertextBroken as error:
        raise CiphertextInvalid from error
    return key_arn(Registry(header.account_id, own.region), header.key_id)
