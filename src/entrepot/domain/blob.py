"""Blobs: bytes by digest, and where a store keeps them.

Spec: ECR API, Layer; OCI Distribution 1.1, "Pulling blobs".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from entrepot.domain.digest import Digest
from entrepot.domain.sealed_key import SealedKey


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as its row and the link of one repository describe it."""

    id: int
    """Row id: never reused."""
    domain_id: int
    digest: Digest
    size_bytes: int
    """Of the plain bytes."""
    storage_key: str
    store: str
    format: int
    """0 plain, 1 encrypted frames."""
    frame_bytes: int
    """Plain bytes of a whole frame."""
    wrapped_key: bytes | None
    """The data key, or that of the outer layer, wrapped by the domain's; None: plain, or repositories wrap it."""
    keep_until: datetime
    """The repository's link was promised to somebody until then."""
    is_referenced: bool
    """Whether a manifest of the repository references it."""
    link_key: bytes | None = None
    """The data key, wrapped by the key of the repository."""
    seal: SealedKey | None = None
    """What opens the key of the repository."""


@dataclass(frozen=True, slots=True)
class LayerAvailability:
    """What BatchCheckLayerAvailability answers for one digest; size (bytes) and type are None when unavailable."""

    digest: Digest
    is_available: bool
    size: int | None = None
    media_type: str | None = None
    """As a manifest of the repository names it; None before one does."""


class BlobDamaged(Exception):
    """Stored bytes are missing, too short or fail their tag. Whoever is answering with them breaks off."""

    def __init__(self, storage_key: str, detail: str) -> None:
        super().__init__(storage_key, detail)
        self.storage_key, self.detail = storage_key, detail
