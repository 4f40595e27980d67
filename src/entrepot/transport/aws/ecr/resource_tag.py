"""Resource tag operations: TagResource, UntagResource and ListTagsForResource.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.domain.arn import parse_repository_arn
from entrepot.domain.repository import RepositoryName
from entrepot.domain.resource_tag import check_key, parse_resource_tags
from entrepot.transport.aws.call import Call


async def tag_resource(call: Call) -> dict[str, Any]:
    tags = parse_resource_tags((tag["Key"], tag["Value"]) for tag in call.parameters["tags"])
    await call.services.resource_tag.add(call.registry, _name(call), tags)
    return {}


async def untag_resource(call: Call) -> dict[str, Any]:
    for key in call.parameters["tagKeys"]:
        check_key(key)
    await call.services.resource_tag.remove(call.registry, _name(call), call.parameters["tagKeys"])
    return {}


async def list_tags_for_resource(call: Call) -> dict[str, Any]:
    tags = await call.services.resource_tag.list(call.registry, _name(call))
    return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _name(call: Call) -> RepositoryName:
    return parse_repository_arn(call.parameters["resourceArn"])[1]
