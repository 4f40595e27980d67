"""Key usage: what a KMS key protects, and so what is lost with it."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName


@dataclass(frozen=True, slots=True)
class ProtectedRepository:
    """A repository that a key protects."""

    registry: Registry
    name: RepositoryName
    encryption_type: str
    images: int
    blobs: int
    size_bytes: int
    """Plain bytes of its blobs."""


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """All that a key protects."""

    key_arn: str
    repositories: tuple[ProtectedRepository, ...]
    blobs: int
    """Each once, in however many of the repositories it is."""
    size_bytes: int
