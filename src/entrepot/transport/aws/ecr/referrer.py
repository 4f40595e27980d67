"""Referrer operations: ListImageReferrers.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.domain.digest import Digest
from entrepot.domain.image import ImageStatus, Referrer
from entrepot.domain.limit import REFERRERS_PAGE_SIZE_DEFAULT
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.page_token import paging_of


async def list_image_referrers(call: Call) -> dict[str, Any]:
    subject = Digest.parse(call.parameters["subjectId"]["imageDigest"])
    given = call.parameters.get("filter", {})
    status = given.get("artifactStatus", ImageStatus.ACTIVE)
    paging = paging_of(call, REFERRERS_PAGE_SIZE_DEFAULT, str(subject), given)
    page = await call.services.referrer.list(
        call.registry,
        call.repository,
        subject,
        given.get("artifactTypes", []),
        None if status == "ANY" else ImageStatus(status),
        paging.request,
    )
    return {"referrers": [_referrer(item) for item in page.items], "nextToken": paging.next_token(page)}


def _referrer(referrer: Referrer) -> dict[str, Any]:
    return {
        "digest": str(referrer.digest),
        "mediaType": referrer.media_type,
        "artifactType": referrer.artifact_type,
        "size": referrer.size_bytes,
        "annotations": referrer.annotations or None,
        "artifactStatus": referrer.status,
    }
