"""Tags of users, roles and policies: TagUser, UntagUser, ListUserTags, and the same of roles and policies.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.service.iam.tag import Tagged
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.entity import pack_tag, tags_of
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.iam.provider import provider_of
from entrepot.transport.aws.resource import ResourceKind


async def tag(call: Call) -> dict[str, Any]:
    await call.services.iam_tag.add(_tagged(call), tags_of(call))
    return {}


async def untag(call: Call) -> dict[str, Any]:
    await call.services.iam_tag.remove(_tagged(call), call.parameters["TagKeys"])
    return {}


async def list_tags(call: Call) -> dict[str, Any]:
    paging = paging_of(call)
    page = await call.services.iam_tag.list(_tagged(call), paging.request)
    return paging.answer("Tags", page, pack_tag)


def _tagged(call: Call) -> Tagged:
    account_id, given = call.caller.account_id, call.parameters
    if "PolicyArn" in given:
        return Tagged(account_id, EntityKind.POLICY, given["PolicyArn"])
    if "OpenIDConnectProviderArn" in given:
        account_id, issuer = provider_of(call)
        return Tagged(account_id, EntityKind.PROVIDER, issuer)
    if "RoleName" in given:
        return Tagged(account_id, EntityKind.ROLE, given["RoleName"])
    if "InstanceProfileName" in given:
        return Tagged(account_id, EntityKind.INSTANCE_PROFILE, given["InstanceProfileName"])
    return Tagged(account_id, EntityKind.USER, given["UserName"])


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "ListInstanceProfileTags": (ResourceKind.INSTANCE_PROFILE, list_tags),
    "ListOpenIDConnectProviderTags": (ResourceKind.PROVIDER, list_tags),
    "ListPolicyTags": (ResourceKind.POLICY, list_tags),
    "ListRoleTags": (ResourceKind.ROLE, list_tags),
    "ListUserTags": (ResourceKind.USER, list_tags),
    "TagInstanceProfile": (ResourceKind.INSTANCE_PROFILE, tag),
    "TagOpenIDConnectProvider": (ResourceKind.PROVIDER, tag),
    "TagPolicy": (ResourceKind.POLICY, tag),
    "TagRole": (ResourceKind.ROLE, tag),
    "TagUser": (ResourceKind.USER, tag),
    "UntagInstanceProfile": (ResourceKind.INSTANCE_PROFILE, untag),
    "UntagOpenIDConnectProvider": (ResourceKind.PROVIDER, untag),
    "UntagPolicy": (ResourceKind.POLICY, untag),
    "UntagRole": (ResourceKind.ROLE, untag),
    "UntagUser": (ResourceKind.USER, untag),
}
