"""Keys of KMS as they are used: found by any of their identifiers, in which state, and with their material open.

    key = await keys.find(own, "alias/build")
    check_usable(key)
    material = await keys.material(key, key.version)

Whoever changes a key, its policy, its aliases, its grants or its tags calls `begin_change` first: it raises the access
epoch of the key's account in the same transaction. So what was kept of a key is void from the next request on, on every
worker, and changes of one account's keys come one after the other.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.key import KEY_BYTES, KMS_PURPOSE, kms_subject
from entrepot.domain.kms import KeyName, KeyState, KeyVersion, KmsKey, VersionOrigin, parse_key_name
from entrepot.domain.kms_error import AliasNotFound, KeyDisabled, KeyNotFound, KeyStateInvalid
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.store.metadata import kms_key as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch
from entrepot.store.metadata.kms_version import find_sealed, insert_version

MATERIAL_MAX: Final = 2_000
"""Versions whose material a worker keeps open."""

MATERIAL_ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Material:
    """The secret of a version of a key."""

    version: int
    secret: bytes = field(repr=False)
    """32 bytes."""
    id: str
    """64 hex digits: what AWS calls the version."""


class KmsKeys:
    """The keys of all accounts, for one worker."""

    def __init__(self, database: Database, key: KeyService) -> None:
        self._database, self._key = database, key
        self._material: OrderedDict[tuple[str, int], tuple[int, Material]] = OrderedDict()

    async def find(self, own: Registry, identifier: str) -> KmsKey:
        """A key by id, ARN, alias or alias ARN; those of other accounts only by ARN.

        Raises:
            KmsArnInvalid, ArnOfOtherRegion, KeyIdInvalid: no identifier of a key of that region.
            KeyNotFound, AliasNotFound: there is none.
        """
        return await self.get(parse_key_name(identifier, own))

    async def get(self, name: KeyName) -> KmsKey:
        """A key by what it is called.

        Raises:
            KeyNotFound, AliasNotFound: there is none.
        """
        return await self._database.lookup(lambda connection: get_key(connection, name))

    async def material(self, key: KmsKey, version: int) -> Material | None:
        """The material of a version of a key that was found just now; None if there is no such version.

        Raises:
            SealBroken: the row is damaged or was sealed under another master key.
        """
        kept = self._material.get((key.id, version))
        if kept is not None and kept[0] == key.epoch:
            self._material.move_to_end((key.id, version))
            return kept[1]
        found = await self._database.lookup(lambda connection: find_sealed(connection, key.id, version))
        if found is None:
            return None
        sealed, material_id = found
        opened = Material(version, self._key.unseal(KMS_PURPOSE, sealed, kms_subject(key.id, version)), material_id)
        self._keep(key, opened)
        return opened

    async def current_material(self, key: KmsKey) -> Material:
        """The material that a key encrypts with.

        Raises:
            KeyNotFound: the key was deleted in the meantime.
            SealBroken: as for `material`.
        """
        found = await self.material(key, key.version)
        if found is None:
            raise KeyNotFound(key.arn)
        return found

    def _keep(self, key: KmsKey, material: Material) -> None:
        place = key.id, material.version
        self._material[place] = key.epoch, material
        self._material.move_to_end(place)
        while len(self._material) > MATERIAL_MAX:
            self._material.popitem(last=False)


def begin_change(connection: Connection, account_id: str) -> None:
    """Begin a change of an account's keys; it holds from the next request on, on every worker."""
    raise_access_epoch(connection, account_id)


def get_key(connection: Connection, name: KeyName) -> KmsKey:
    """The key of that name.

    Raises:
        KeyNotFound, AliasNotFound: there is none.
    """
    found = rows.find_key(connection, name)
    if found is None:
        raise KeyNotFound(name.arn) if name.key_id else AliasNotFound(name.arn)
    return found


def check_usable(key: KmsKey) -> None:
    """Check that a key encrypts and decrypts.

    Raises:
        KeyDisabled, KeyStateInvalid
    """
    check_not_pending(key)
    if key.state is KeyState.DISABLED:
        raise KeyDisabled(key.arn)


def check_not_pending(key: KmsKey) -> None:
    """Check that a key is not about to be deleted.

    Raises:
        KeyStateInvalid
    """
    if key.state is KeyState.PENDING_DELETION:
        raise KeyStateInvalid(key.arn, "pending deletion")


def add_version(
    connection: Connection, context: Context, key: KeyService, key_id: str, number: int, origin: VersionOrigin
) -> KeyVersion:
    """Make material for a key, sealed by the master key; the key's row is not touched."""
    version = KeyVersion(number, context.random_bytes(MATERIAL_ID_BYTES).hex(), origin, context.now())
    sealed = key.seal(connection, KMS_PURPOSE, context.random_bytes(KEY_BYTES), kms_subject(key_id, number))
    insert_version(connection, key_id, version, sealed)
    return version
