"""Images: a manifest as a repository holds it, indexes and artifacts too.

Spec: ECR API, ImageDetail, ImageFailure and ImageReferrer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from entrepot.domain.digest import Digest
from entrepot.domain.reference import ImageId, Tag


class ImageStatus(StrEnum):
    """The storage class as callers see it."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"
    ACTIVATING = "ACTIVATING"


class TagStatus(StrEnum):
    """Filter by whether an image has tags."""

    TAGGED = "TAGGED"
    UNTAGGED = "UNTAGGED"
    ANY = "ANY"


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """What ListImages and DescribeImages leave out; `status` None takes every storage class."""

    tag_status: TagStatus = TagStatus.ANY
    status: ImageStatus | None = ImageStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest with its exact bytes."""

    id: int
    """Row id: never reused, so what is cached under it stays true."""
    digest: Digest
    media_type: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ImageDetail:
    """What DescribeImages tells of an image."""

    digest: Digest
    tags: tuple[Tag, ...]
    media_type: str
    artifact_type: str | None
    size_bytes: int
    """Compressed: config and layers; of an index the largest child's."""
    pushed_at: datetime
    pulled_at: datetime | None
    subject: Digest | None
    status: ImageStatus
    archived_at: datetime | None
    activated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest whose subject is another."""

    digest: Digest
    media_type: str
    artifact_type: str | None
    size_bytes: int
    """Of the manifest itself."""
    annotations: dict[str, str]
    status: ImageStatus


class FailureCode(StrEnum):
    """Why one image of a batch failed."""

    INVALID_IMAGE_DIGEST = "InvalidImageDigest"
    INVALID_IMAGE_TAG = "InvalidImageTag"
    IMAGE_TAG_DOES_NOT_MATCH_DIGEST = "ImageTagDoesNotMatchDigest"
    IMAGE_NOT_FOUND = "ImageNotFound"
    MISSING_DIGEST_AND_TAG = "MissingDigestAndTag"
    IMAGE_REFERENCED_BY_MANIFEST_LIST = "ImageReferencedByManifestList"
    KMS_ERROR = "KmsError"
    IMAGE_INACCESSIBLE = "ImageInaccessible"


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """One image of a batch that failed; `digests` are the parents for ImageReferencedByManifestList."""

    image_id: ImageId
    code: FailureCode
    digests: tuple[Digest, ...] = ()
