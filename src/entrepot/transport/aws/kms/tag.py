"""Tags of keys: TagResource, UntagResource and ListResourceTags.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms_error import KmsTagInvalid
from entrepot.service.kms.tag import check_count
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.kms.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def tag_resource(call: Call) -> dict[str, Any]:
    tags = tags_of(call)
    await call.services.kms_tag.put(await key_of(call), tags)
    return {}


async def untag_resource(call: Call) -> dict[str, Any]:
    await call.services.kms_tag.remove(await key_of(call), call.parameters["TagKeys"])
    return {}


async def list_resource_tags(call: Call) -> dict[str, Any]:
    paging = paging_of(call, 50, 50)
    found = await call.services.kms_tag.list(await key_of(call), paging.request)
    return paging.answer("Tags", found, lambda tag: {"TagKey": tag[0], "TagValue": tag[1]})


def tags_of(call: Call) -> dict[str, str]:
    """The member `Tags`.

    Raises:
        KmsTagInvalid: a key twice, a key of AWS's, or more than a key of KMS can have.
    """
    given = call.parameters.get("Tags", [])
    tags = {tag["TagKey"]: tag["TagValue"] for tag in given}
    if len(tags) < len(given):
        raise KmsTagInvalid("Duplicate tag keys")
    if any(key.lower().startswith("aws:") for key in tags):
        raise KmsTagInvalid("Tags beginning with aws: are reserved")
    check_count(tags)
    return tags


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "ListResourceTags": (ResourceKind.KEY, list_resource_tags),
    "TagResource": (ResourceKind.KEY, tag_resource),
    "UntagResource": (ResourceKind.KEY, untag_resource),
}
"""By name: what each is authorised on, and its handler."""
