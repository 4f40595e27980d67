"""Sealed keys of repositories, as columns that statements read along with whatever they find of a repository."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from entrepot.domain.sealed_key import EncryptionType, SealedKey
from entrepot.store.metadata.schema import account, repository

_EPOCH = select(account.c.access_epoch).where(account.c.id == repository.c.kms_account).correlate(repository)
SEAL_COLUMNS: Final = (
    repository.c.encryption_type,
    repository.c.kms_key,
    repository.c.kms_account,
    repository.c.kms_sealed_key,
    repository.c.kms_grant,
    _EPOCH.scalar_subquery().label("kms_epoch"),
)
"""For statements that have the repository among their tables."""


def to_seal(columns: Sequence[Any], repository_id: int, repository_arn: str) -> SealedKey | None:
    """What `SEAL_COLUMNS` say of a repository; None when no KMS key protects it."""
    encryption_type, key_arn, account_id, sealed, grant_id, epoch = columns
    if sealed is None:
        return None
    is_doubled = encryption_type == EncryptionType.KMS_DSSE
    return SealedKey(repository_id, repository_arn, key_arn, account_id, sealed, grant_id, epoch, is_doubled)
