"""What protects repositories in one process: the KMS keys of this server's accounts, and a KMS elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.domain.key_provider import KeyRefused
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.kms.ecr import EcrKms
from entrepot.service.kms.key import KmsKeys
from entrepot.service.protection import Protection
from entrepot.service.repository_key import RepositoryKeys
from entrepot.store.metadata.base import Database

if TYPE_CHECKING:
    from entrepot.domain.kms import KmsKey
    from entrepot.domain.registry import Registry


@dataclass(frozen=True, slots=True)
class Protectors:
    """One instance per process."""

    kms_keys: KmsKeys
    protection: Protection
    repository_keys: RepositoryKeys


def open_protectors(database: Database, context: Context, keys: KeyService) -> Protectors:
    """Put them together."""
    kms_keys = KmsKeys(database, keys)
    own = EcrKms(database, context, kms_keys, _no_default)
    return Protectors(kms_keys, Protection(own), RepositoryKeys(own))


async def _no_default(place: Registry) -> KmsKey:
    raise KeyRefused(place.account_id, "NotFoundException", "Name a key: there is no default one yet")
