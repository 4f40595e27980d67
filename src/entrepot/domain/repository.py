"""Repositories: their names and settings.

Spec: ECR API, RepositoryName and Repository; OCI Distribution 1.1, "Pulling manifests".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from entrepot.domain.error import NameInvalid
from entrepot.domain.limit import REPOSITORY_NAME_LENGTH
from entrepot.domain.registry import Registry
from entrepot.domain.sealed_key import EncryptionType, SealedKey
from entrepot.domain.tag_mutability import TagMutability

RepositoryName = NewType("RepositoryName", str)
"""Text that `parse_repository_name` has checked."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")


def parse_repository_name(text: str) -> RepositoryName:
    """Check a repository name.

    Raises:
        NameInvalid: shorter than 2 or longer than 256 characters, or not of the grammar.
    """
    low, high = REPOSITORY_NAME_LENGTH
    if not low <= len(text) <= high or not _NAME.fullmatch(text):
        raise NameInvalid(text)
    return RepositoryName(text)


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """What a caller chooses when a repository is made."""

    tag_mutability: TagMutability = field(default_factory=TagMutability)
    scan_on_push: bool = False
    encryption_type: str = EncryptionType.AES256
    kms_key: str | None = None
    """ARN of the KMS key that protects the repository."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as it stands."""

    id: int
    """Row id: unique for ever, never shown outside."""
    registry: Registry
    name: RepositoryName
    created_at: datetime
    settings: RepositorySettings
    seal: SealedKey | None = None
    """Its key, when a KMS key protects it."""

    @property
    def arn(self) -> str:
        """`arn:aws:ecr:REGION:ACCOUNT:repository/NAME`."""
        return self.registry.repository_arn(self.name)
