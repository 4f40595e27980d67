"""KMS as ECR uses it: the key for a repository found, the repository's own key made and opened, grants kept.

Spec: ECR user guide, "Encryption at rest"; KMS developer guide, "Using grants with AWS KMS".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.key import KEY_BYTES
from entrepot.domain.key_provider import KeyRefused
from entrepot.domain.kms import KeyState, KmsKey, key_name_of, parse_key_name
from entrepot.domain.kms_error import CiphertextInvalid, KeyIncorrect, KeyNotFound, KmsError
from entrepot.domain.kms_grant import Constraints, KmsGrant
from entrepot.domain.kms_use import ecr_service
from entrepot.domain.registry import Registry
from entrepot.domain.sealed_key import SealedKey, context_of
from entrepot.service.context import Context
from entrepot.service.kms.cryptography import KmsCryptography
from entrepot.service.kms.grant import ID_BYTES, TOKEN_BYTES
from entrepot.store.metadata import kms_grant as grants
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.key_usage import read_repository_usage
from entrepot.store.metadata.kms_key import find_key

GRANTED: Final = ("Decrypt", "GenerateDataKey")
"""What ECR may do with the key of a repository."""

FindDefaultKey = Callable[[Registry], Awaitable[KmsKey]]
"""Finds AWS's key for ECR of an account and region; made when it is first asked for."""


class EcrKms:
    """The keys of this server's accounts, for repositories. Opens what it sealed."""

    def __init__(
        self, database: Database, context: Context, cryptography: KmsCryptography, find_default: FindDefaultKey
    ) -> None:
        self._database, self._context, self._cryptography = database, context, cryptography
        self._find_default = find_default

    async def find(self, registry: Registry, identifier: str | None) -> KmsKey:
        """The key of an identifier, whatever its state; without one AWS's key for ECR.

        Raises:
            KeyRefused: there is none, or not in the region.
        """
        if identifier is None:
            return await self._find_default(registry)
        try:
            name = parse_key_name(identifier, registry)
        except KmsError as error:
            raise KeyRefused(identifier, "NotFoundException", f"Invalid keyId {identifier}") from error
        found = await self._database.lookup(lambda connection: find_key(connection, name))
        if found is None:
            kind = "Key" if name.key_id else "Alias"
            said = f"{kind} {name.arn} is not found." if kind == "Alias" else f"Key '{name.arn}' does not exist"
            raise KeyRefused(name.arn, "NotFoundException", said)
        return found

    async def make(self, arn: str, repository_arn: str) -> bytes:
        """A new key for a repository, sealed.

        Raises:
            KeyRefused: the KMS key cannot be used.
        """
        key, context = await self._usable(arn), context_of(repository_arn)
        try:
            _, sealed = await self._cryptography.generate(key, KEY_BYTES, context, ecr_service(key.place))
        except KeyNotFound as error:
            raise _gone(arn) from error
        return sealed.blob

    async def unseal(self, sealed: SealedKey) -> bytes:
        """The key of a repository.

        Raises:
            KeyRefused: the KMS key is disabled, about to be deleted or gone, or ECR has no grant to use it.
        """
        key = await self._usable(sealed.key_arn, sealed)
        try:
            opened = await self._cryptography.decrypt(key, sealed.sealed, sealed.context, ecr_service(key.place))
        except (CiphertextInvalid, KeyIncorrect) as error:
            raise KeyRefused(
                sealed.key_arn, "InvalidCiphertextException", "The key of the repository does not open"
            ) from error
        return opened.plaintext

    async def check_lasting(self, seals: Sequence[SealedKey]) -> None:
        """Check that no key of these is about to be deleted.

        Raises:
            KeyRefused: one is; it says what is lost then.
        """

        def query(connection: Connection) -> KeyRefused | None:
            for one in seals:
                key = _find(connection, one.key_arn)
                if key is not None and key.state is KeyState.PENDING_DELETION:
                    return _pending(key, one, *read_repository_usage(connection, one.repository_id))
            return None

        refused = await self._database.read(query)
        if refused is not None:
            raise refused

    def grant(self, connection: Connection, arn: str, registry: Registry, repository_arn: str) -> str:
        """Let ECR open the key of a repository; the id of the grant.

        Raises:
            KeyRefused: the KMS key was deleted in the meantime.
        """
        key = _find(connection, arn)
        if key is None:
            raise _gone(arn)
        random, service = self._context.random_bytes, ecr_service(registry)
        grant = KmsGrant(
            id=random(ID_BYTES).hex(),
            key_arn=arn,
            token=random(TOKEN_BYTES).hex(),
            name=None,
            grantee=service,
            retiring=service,
            issuing_account=f"arn:{registry.partition}:iam::{registry.account_id}:root",
            operations=GRANTED,
            created_at=self._context.now(),
            constraints=Constraints(subset=context_of(repository_arn)),
        )
        grants.insert_grant(connection, key.id, grant, {})
        return grant.id

    async def _usable(self, arn: str, sealed: SealedKey | None = None) -> KmsKey:
        """A key that encrypts and decrypts now, for ECR if a sealed key is to be opened."""

        def query(connection: Connection) -> tuple[KmsKey | None, bool]:
            key = _find(connection, arn)
            return key, sealed is None or key is None or _is_granted(connection, key, sealed)

        key, is_granted = await self._database.lookup(query)
        if key is None:
            raise _gone(arn)
        check_state(key)
        if not is_granted:
            said = f"ECR has no grant to use the key {arn} for the repository: it was revoked or retired"
            raise KeyRefused(arn, "AccessDeniedException", said)
        return key


def check_state(key: KmsKey) -> None:
    """Check that a key encrypts and decrypts.

    Raises:
        KeyRefused: as KMS words it.
    """
    if key.state is KeyState.DISABLED:
        raise KeyRefused(key.arn, "DisabledException", f"{key.arn} is disabled.")
    if key.state is KeyState.PENDING_DELETION:
        when = f" It will be deleted at {key.deletes_at:%Y-%m-%dT%H:%M:%SZ}." if key.deletes_at else ""
        raise KeyRefused(key.arn, "KMSInvalidStateException", f"{key.arn} is pending deletion.{when}")


def _find(connection: Connection, arn: str) -> KmsKey | None:
    name = key_name_of(arn)
    return None if name is None else find_key(connection, name)


def _is_granted(connection: Connection, key: KmsKey, sealed: SealedKey) -> bool:
    """Whether ECR may open the key of a repository: by the grant made with it, or by another one that allows it."""
    own = sealed.grant_id and grants.find_grant(connection, key.id, sealed.grant_id)
    service = ecr_service(key.place)
    found = [own] if own else grants.find_grants_about(connection, key.id, service, sealed.repository_arn)
    return any("Decrypt" in one.grant.operations and one.grant.constraints.hold(sealed.context) for one in found)


def _pending(key: KmsKey, sealed: SealedKey, images: int, size_bytes: int) -> KeyRefused:
    when = f" at {key.deletes_at:%Y-%m-%dT%H:%M:%SZ}" if key.deletes_at else ""
    said = (
        f"{key.arn} is pending deletion. When it is deleted{when}, {images} images with {size_bytes} bytes in"
        f" {sealed.repository_arn} are lost for ever; CancelKeyDeletion and EnableKey bring them back until then"
    )
    return KeyRefused(key.arn, "KMSInvalidStateException", said)


def _gone(arn: str) -> KeyRefused:
    return KeyRefused(arn, "NotFoundException", f"Key '{arn}' does not exist")
