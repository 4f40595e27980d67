"""Blobs: bytes by digest, and where a store keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.digest import Digest


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob of an encryption domain as its row describes it."""

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
    """The data key, wrapped by the domain's; None when the bytes are plain."""
