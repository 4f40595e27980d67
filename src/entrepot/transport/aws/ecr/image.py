"""Image operations: PutImage, BatchGetImage, ListImages, DescribeImages and BatchDeleteImage.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.domain.digest import Digest
from entrepot.domain.error import InvalidParameter
from entrepot.domain.image import Image, ImageDetail, ImageFilter, ImageStatus, TagStatus
from entrepot.domain.limit import PAGE_SIZE_DEFAULT
from entrepot.domain.page import PageRequest
from entrepot.domain.reference import ImageId, Tag
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.ecr.image_id import read_all, read_batch, show, show_failure
from entrepot.transport.aws.page_token import paging_of


async def put_image(call: Call) -> dict[str, Any]:
    given = call.parameters
    tag = Tag.parse(given["imageTag"]) if "imageTag" in given else None
    pushed = await call.services.image.put(
        call.registry,
        call.repository,
        given["imageManifest"].encode(),
        declared_type=given.get("imageManifestMediaType"),
        tags=[] if tag is None else [tag],
        digest=Digest.parse(given["imageDigest"]) if "imageDigest" in given else None,
        is_idempotent=False,
    )
    image_id = show(pushed.image_id)
    manifest = {"imageManifest": given["imageManifest"], "imageManifestMediaType": pushed.manifest.media_type}
    return {"image": _names(call) | {"imageId": image_id} | manifest}


async def batch_get_image(call: Call) -> dict[str, Any]:
    batch = read_batch(call.parameters["imageIds"])
    accepted = call.parameters.get("acceptedMediaTypes", [])
    found, failures = await call.services.image.batch_get(call.registry, call.repository, batch.ids, accepted)
    await call.hold.grow(sum(len(image.raw) for _, image in found))
    images = [_image(call, image_id, image) for image_id, image in found]
    return {"images": images, "failures": batch.failures + [show_failure(failure) for failure in failures]}


async def list_images(call: Call) -> dict[str, Any]:
    given = call.parameters.get("filter", {})
    paging = paging_of(call, PAGE_SIZE_DEFAULT, given)
    page = await call.services.image.list(call.registry, call.repository, _read_filter(given), paging.request)
    return {"imageIds": [show(image_id) for image_id in page.items], "nextToken": paging.next_token(page)}


async def describe_images(call: Call) -> dict[str, Any]:
    given = call.parameters.get("filter", {})
    if "imageIds" in call.parameters:
        return {"imageDetails": await _describe_named(call, given)}
    paging = paging_of(call, PAGE_SIZE_DEFAULT, given)
    page = await call.services.image.describe(call.registry, call.repository, None, _read_filter(given), paging.request)
    return {"imageDetails": [_detail(call, detail) for detail in page.items], "nextToken": paging.next_token(page)}


async def _describe_named(call: Call, given: dict[str, str]) -> list[dict[str, Any]]:
    if "nextToken" in call.parameters or "maxResults" in call.parameters:
        raise InvalidParameter("imageIds", "imageIds can not be combined with nextToken or maxResults")
    image_ids = read_all(call.parameters["imageIds"])
    # Images that are named are shown whatever their storage class, unless the caller filters by it.
    wanted = _read_filter({"imageStatus": "ANY"} | given)
    page = await call.services.image.describe(
        call.registry, call.repository, image_ids, wanted, PageRequest(len(image_ids))
    )
    return [_detail(call, detail) for detail in page.items]


async def batch_delete_image(call: Call) -> dict[str, Any]:
    batch = read_batch(call.parameters["imageIds"])
    deleted, failures = await call.services.image.batch_delete(call.registry, call.repository, batch.ids)
    shown = batch.failures + [show_failure(failure) for failure in failures]
    return {"imageIds": [show(image_id) for image_id in deleted], "failures": shown}


def _read_filter(given: dict[str, str]) -> ImageFilter:
    status = given.get("imageStatus", ImageStatus.ACTIVE)
    tag_status = TagStatus(given.get("tagStatus", TagStatus.ANY))
    return ImageFilter(tag_status, None if status == "ANY" else ImageStatus(status))


def _image(call: Call, image_id: ImageId, image: Image) -> dict[str, Any]:
    return _names(call) | {
        "imageId": show(image_id),
        "imageManifest": image.raw.decode(),
        "imageManifestMediaType": image.media_type,
    }


def _detail(call: Call, detail: ImageDetail) -> dict[str, Any]:
    return _names(call) | {
        "imageDigest": str(detail.digest),
        "imageTags": [tag.name for tag in detail.tags] or None,
        "imageSizeInBytes": detail.size_bytes,
        "imagePushedAt": detail.pushed_at,
        "imageManifestMediaType": detail.media_type,
        "artifactMediaType": detail.artifact_type,
        "lastRecordedPullTime": detail.pulled_at,
        "subjectManifestDigest": None if detail.subject is None else str(detail.subject),
        "imageStatus": detail.status,
        "lastArchivedAt": detail.archived_at,
        "lastActivatedAt": detail.activated_at,
    }


def _names(call: Call) -> dict[str, Any]:
    return {"registryId": call.registry.account_id, "repositoryName": call.repository}
