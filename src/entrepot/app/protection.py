"""What protects repositories in one process: the KMS keys of this server's accounts, and a KMS elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.app.config_kms import AWS
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.kms.cryptography import KmsCryptography
from entrepot.service.kms.ecr import EcrKms
from entrepot.service.kms.key import KmsKeys
from entrepot.service.kms.lifecycle import KmsLifecycleService
from entrepot.service.protection import Protection
from entrepot.service.repository_key import RepositoryKeys
from entrepot.store.metadata.base import Database

if TYPE_CHECKING:
    from entrepot.app.config import Settings
    from entrepot.domain.registry import Registry
    from entrepot.remote.kms import RemoteKms


@dataclass(frozen=True, slots=True)
class Protectors:
    """One instance per process."""

    kms_keys: KmsKeys
    cryptography: KmsCryptography
    protection: Protection
    repository_keys: RepositoryKeys
    remote: RemoteKms | None

    async def find_arn(self, registry: Registry, identifier: str) -> str:
        """The ARN of the key that a registry means by an ARN, an id or an alias.

        Raises:
            KeyRefused, KeyProviderAway
        """
        return (await self.protection.choose(registry, identifier)).arn

    async def close(self) -> None:
        """End the threads that ask the KMS elsewhere."""
        if self.remote is not None:
            await self.remote.close()


def open_protectors(settings: Settings, database: Database, context: Context, keys: KeyService) -> Protectors:
    """Put them together."""
    kms_keys, remote = KmsKeys(database, keys), _open_remote(settings)
    cryptography = KmsCryptography(kms_keys, context)
    own = EcrKms(database, context, cryptography, KmsLifecycleService(database, context, keys).ecr_key)
    return Protectors(kms_keys, cryptography, Protection(own, remote), RepositoryKeys(own, remote), remote)


def _open_remote(settings: Settings) -> RemoteKms | None:
    if settings.kms_endpoint is None:
        return None
    from entrepot.remote.kms import KmsEndpoint, RemoteKms  # noqa: PLC0415 - start time

    url = None if settings.kms_endpoint == AWS else settings.kms_endpoint
    return RemoteKms(KmsEndpoint(url, settings.kms_region or settings.region), time.monotonic)
