"""Protection of repositories by KMS keys: the key chosen, the repository's own key made, the grant made and retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from entrepot.domain.key_provider import DataKey, KeyRefused, ProvidedKey
from entrepot.domain.kms import ECR_ALIAS, KeyState
from entrepot.domain.kms_use import ChosenKey
from entrepot.domain.registry import Registry
from entrepot.domain.repository import Repository
from entrepot.domain.sealed_key import SealedKey, context_of
from entrepot.store.metadata.kms_grant import delete_grant

if TYPE_CHECKING:
    from entrepot.service.kms.ecr import EcrKms

SYMMETRIC = "SYMMETRIC_DEFAULT"


class RemoteKms(Protocol):
    """A KMS elsewhere."""

    async def describe(self, identifier: str) -> ProvidedKey:
        """The key of an id, ARN or alias."""

    async def generate(self, arn: str, context: Mapping[str, str]) -> DataKey:
        """Make a data key."""


class Protection:
    """What repositories have from KMS keys; new ones from those of the KMS elsewhere, if there is one."""

    def __init__(self, own: EcrKms, remote: RemoteKms | None = None) -> None:
        self._own, self._remote = own, remote

    async def choose(self, registry: Registry, identifier: str | None) -> ChosenKey:
        """The key of an identifier, for a new repository, in whatever state; without one AWS's key for ECR.

        Raises:
            KeyRefused: there is none, or not one for this.
            KeyProviderAway
        """
        if self._remote is None:
            key = await self._own.find(registry, identifier)
            return ChosenKey(key.arn, key.place.account_id)
        found = await self._remote.describe(identifier or ECR_ALIAS)
        if found.spec not in ("", SYMMETRIC):
            raise KeyRefused(found.arn, "InvalidKeyUsageException", f"{found.arn} is not a symmetric key")
        if found.state not in ("", KeyState.ENABLED):
            raise KeyRefused(found.arn, "KMSInvalidStateException", f"{found.arn} is {found.state}")
        return ChosenKey(found.arn, None)

    async def make(self, chosen: ChosenKey, repository_arn: str) -> bytes:
        """A new key for a repository, sealed.

        Raises:
            KeyRefused, KeyProviderAway
        """
        if chosen.account_id is None and self._remote is not None:
            return (await self._remote.generate(chosen.arn, context_of(repository_arn))).wrapped
        return await self._own.make(chosen.arn, repository_arn)

    async def check_lasting(self, repositories: Sequence[Repository]) -> None:
        """Check that no key of ours that protects one of these is about to be deleted.

        Raises:
            KeyRefused: one is; it says what is lost then.
        """
        seals = [one.seal for one in repositories if one.seal is not None and one.seal.account_id is not None]
        if seals:
            await self._own.check_lasting(seals)

    def grant(self, connection: Connection, chosen: ChosenKey, registry: Registry, repository_arn: str) -> str | None:
        """Make the grant of a new repository; None: a KMS elsewhere decides about us, not about ECR.

        Raises:
            KeyRefused: the key was deleted in the meantime.
        """
        if chosen.account_id is None:
            return None
        return self._own.grant(connection, chosen.arn, registry, repository_arn)

    def retire(self, connection: Connection, seal: SealedKey) -> None:
        """Retire the grant of a repository that is deleted."""
        if seal.grant_id is not None:
            delete_grant(connection, seal.grant_id)
