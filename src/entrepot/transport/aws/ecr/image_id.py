"""Image identifiers on the wire: `{"imageDigest": "sha256:…", "imageTag": "latest"}` and what can be wrong with one.

Spec: ECR API, ImageIdentifier and ImageFailure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from entrepot.domain.digest import Digest
from entrepot.domain.error import DigestInvalid, InvalidParameter, TagInvalid
from entrepot.domain.image import FailureCode, ImageFailure
from entrepot.domain.reference import ImageId, Tag
from entrepot.transport.aws.wording import IMAGE_DIGEST_PATTERN, is_ecr_digest

_REASONS: Final = {
    FailureCode.INVALID_IMAGE_DIGEST: (
        f"Invalid request parameters: image digest should satisfy the regex '{IMAGE_DIGEST_PATTERN}'"
    ),
    FailureCode.INVALID_IMAGE_TAG: (
        "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
    ),
    FailureCode.IMAGE_TAG_DOES_NOT_MATCH_DIGEST: "Requested image tag does not match the image digest",
    FailureCode.IMAGE_NOT_FOUND: "Requested image not found",
    FailureCode.MISSING_DIGEST_AND_TAG: "Invalid request parameters: both tag and digest cannot be null",
    FailureCode.KMS_ERROR: "The KMS key of the repository can not be used",
    FailureCode.IMAGE_INACCESSIBLE: "Requested image is archived",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """The identifiers of one request, sorted out."""

    ids: list[ImageId]
    failures: list[dict[str, Any]]
    """Those that are wrong in themselves, as the answer shows them."""


def read_batch(items: list[dict[str, str]]) -> Batch:
    """Sort out identifiers; the same one twice counts once."""
    batch = Batch([], [])
    for item in {(item.get("imageDigest"), item.get("imageTag")): item for item in items}.values():
        code = _fault(item)
        if code is None:
            batch.ids.append(_image_id(item))
        else:
            batch.failures.append({"imageId": item, "failureCode": code, "failureReason": _REASONS[code]})
    return batch


def read_all(items: list[dict[str, str]]) -> list[ImageId]:
    """Identifiers of which each must be good.

    Raises:
        InvalidParameter: neither digest nor tag.
        DigestInvalid, TagInvalid: a malformed half.
    """
    if any(not item for item in items):
        raise InvalidParameter("imageIds", _REASONS[FailureCode.MISSING_DIGEST_AND_TAG])
    return [_image_id(item) for item in items]


def show(image_id: ImageId) -> dict[str, Any]:
    """An identifier as answers have it."""
    return {
        "imageDigest": None if image_id.digest is None else str(image_id.digest),
        "imageTag": None if image_id.tag is None else image_id.tag.name,
    }


def show_failure(failure: ImageFailure) -> dict[str, Any]:
    """A failure as answers have it."""
    if failure.code is FailureCode.IMAGE_REFERENCED_BY_MANIFEST_LIST:
        reason = f"Requested image referenced by manifest list: [{', '.join(map(str, failure.digests))}]"
    else:
        reason = _REASONS[failure.code]
    return {"imageId": show(failure.image_id), "failureCode": failure.code, "failureReason": reason}


def _image_id(item: dict[str, str]) -> ImageId:
    digest, tag = item.get("imageDigest"), item.get("imageTag")
    return ImageId(Digest.parse(digest) if digest is not None else None, Tag.parse(tag) if tag is not None else None)


def _fault(item: dict[str, str]) -> FailureCode | None:
    if not item:
        return FailureCode.MISSING_DIGEST_AND_TAG
    try:
        _image_id(item)
    except TagInvalid:
        return FailureCode.INVALID_IMAGE_TAG
    except DigestInvalid as error:
        # A form that AWS takes and we never store: an image that is not here.
        return FailureCode.IMAGE_NOT_FOUND if is_ecr_digest(error.text) else FailureCode.INVALID_IMAGE_DIGEST
    return None
