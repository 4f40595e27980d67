"""Views: what one read of the database tells a request, before anything is decided.

Spec: design, "One metadata read per request": epochs, repository and image or blob come from one statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.blob import StoredBlob
from entrepot.domain.digest import Digest
from entrepot.domain.image import ImageStatus
from entrepot.domain.registry import Registry
from entrepot.domain.repository import Repository, RepositoryName


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image without its bytes."""

    id: int
    """Row id: never reused, so what is cached under it stays true."""
    digest: Digest
    media_type: str
    size_bytes: int
    """Of the manifest itself."""
    status: ImageStatus
    registry: Registry
    repository: RepositoryName


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """A repository as a caller meets it."""

    caller_epoch: int | None
    """Access epoch of the caller's account; None when that account does not exist."""
    owner_epoch: int | None
    """Access epoch of the account that the registry belongs to; None when it does not exist."""
    repository: Repository | None

    @property
    def repository_id(self) -> int | None:
        """Row id of the repository; None when there is none."""
        return None if self.repository is None else self.repository.id


@dataclass(frozen=True, slots=True)
class ImageView(RepositoryView):
    """A repository and the image that a tag or digest names in it."""

    image: ImageRow | None


@dataclass(frozen=True, slots=True)
class BlobView(RepositoryView):
    """A repository and the blob that it links under a digest."""

    blob: StoredBlob | None
