"""Tags: CreateTags, DeleteTags and DescribeTags.

Spec: EC2 API; EC2 user guide, "Tag restrictions".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from entrepot.domain.ec2_error import Ec2ParameterMissing, Ec2ValueInvalid
from entrepot.domain.limit import RESOURCE_TAG_KEY_LENGTH_MAX, RESOURCE_TAG_VALUE_LENGTH_MAX
from entrepot.domain.vpc_endpoint import resource_type
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.ec2.filter import filtered, paged
from entrepot.transport.aws.resource import ResourceKind

_RESERVED: Final = "aws:"


class _Tag(NamedTuple):
    resource_id: str
    key: str
    value: str


_FACETS: Final = {
    "key": lambda one: [one.key],
    "resource-id": lambda one: [one.resource_id],
    "resource-type": lambda one: [resource_type(one.resource_id)],
    "value": lambda one: [one.value],
}


async def create_tags(call: Call) -> dict[str, Any]:
    await call.services.ec2_tag.add(call.registry, _resources(call), read_tags(call.parameters["Tags"]))
    return {}


async def delete_tags(call: Call) -> dict[str, Any]:
    given = call.parameters.get("Tags")
    tags = None if given is None else {_key(one): one.get("Value") for one in given}
    await call.services.ec2_tag.remove(call.registry, _resources(call), tags)
    return {}


async def describe_tags(call: Call) -> dict[str, Any]:
    by_resource = await call.services.ec2_tag.by_resource(call.registry)
    found = [_Tag(one, key, value) for one, tags in sorted(by_resource.items()) for key, value in tags.items()]
    items, token = paged(call, filtered(call, found, _FACETS), lambda one: f"{one.resource_id} {one.key}")
    return {"Tags": [_pack(one) for one in items], "NextToken": token}


def _pack(tag: _Tag) -> dict[str, str]:
    return {
        "Key": tag.key,
        "Value": tag.value,
        "ResourceId": tag.resource_id,
        "ResourceType": resource_type(tag.resource_id),
    }


def read_tags(given: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tags of one request.

    Raises:
        Ec2ParameterMissing, Ec2ValueInvalid: without a key, too long, reserved, or twice.
    """
    tags: dict[str, str] = {}
    for one in given:
        key, value = _key(one), one.get("Value") or ""
        if key in tags:
            raise Ec2ValueInvalid(f"Duplicate tag key '{key}' specified.")
        if len(value) > RESOURCE_TAG_VALUE_LENGTH_MAX:
            raise Ec2ValueInvalid(f"Tag value exceeds the maximum length of {RESOURCE_TAG_VALUE_LENGTH_MAX} characters")
        tags[key] = value
    return tags


def pack_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags on the wire."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _key(tag: Mapping[str, Any]) -> str:
    key: str = tag.get("Key") or ""
    if not key:
        raise Ec2ParameterMissing("Tag.1.Key")
    if len(key) > RESOURCE_TAG_KEY_LENGTH_MAX:
        raise Ec2ValueInvalid(f"Tag key exceeds the maximum length of {RESOURCE_TAG_KEY_LENGTH_MAX} characters")
    if key.lower().startswith(_RESERVED):
        raise Ec2ValueInvalid("Tag keys starting with 'aws:' are reserved for internal use")
    return key


def _resources(call: Call) -> list[str]:
    return list(dict.fromkeys(call.parameters["Resources"]))


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateTags": (ResourceKind.EC2_TAGGED, create_tags),
    "DeleteTags": (ResourceKind.EC2_TAGGED, delete_tags),
    "DescribeTags": (ResourceKind.ANY, describe_tags),
}
"""By name: what each is authorised on, and its handler."""
