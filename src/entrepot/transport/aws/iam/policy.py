"""Managed policies: CreatePolicy, GetPolicy, ListPolicies and DeletePolicy.

    {"PolicyName": "Pull", "PolicyId": "ANPA…", "Arn": "arn:aws:iam::…:policy/Pull", "Path": "/", "DefaultVersionId":
     "v1", "AttachmentCount": 1, "PermissionsBoundaryUsageCount": 0, "IsAttachable": true, "CreateDate": …,
     "UpdateDate": …}

Only GetPolicy says the description. Spec: IAM API, version 2010-05-08, Policy.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.domain.managed_policy import PolicyUse, PolicyView, version_id
from entrepot.service.iam.policy import PolicyFilter, PolicyScope
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.entity import new_entity, pack_tag, tags_of
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def create_policy(call: Call) -> dict[str, Any]:
    wanted, document = new_entity(call, EntityKind.POLICY, "PolicyName"), call.parameters["PolicyDocument"]
    made = await call.services.iam_policy.create(wanted, document, tags_of(call))
    return {"Policy": {**pack_policy(made), "Tags": _pack_tags(made) or None}}


async def get_policy(call: Call) -> dict[str, Any]:
    found = await call.services.iam_policy.get(call.caller.account_id, call.parameters["PolicyArn"])
    return {
        "Policy": {**pack_policy(found), "Description": found.policy.description or None, "Tags": _pack_tags(found)}
    }


async def list_policies(call: Call) -> dict[str, Any]:
    given, paging = call.parameters, paging_of(call)
    wanted = PolicyFilter(
        PolicyScope(given.get("Scope", PolicyScope.ALL.value)),
        given.get("PathPrefix", "/"),
        given.get("OnlyAttached", False),
        PolicyUse(given.get("PolicyUsageFilter", "")),
    )
    page = await call.services.iam_policy.list(call.caller.account_id, wanted, paging.request)
    return paging.answer("Policies", page, pack_policy)


async def delete_policy(call: Call) -> dict[str, Any]:
    await call.services.iam_policy.delete(call.caller.account_id, call.parameters["PolicyArn"])
    return {}


def pack_policy(view: PolicyView) -> dict[str, Any]:
    """A policy as lists show it."""
    policy = view.policy
    return {
        "PolicyName": policy.arn.name,
        "PolicyId": policy.id,
        "Arn": str(policy.arn),
        "Path": policy.arn.path,
        "DefaultVersionId": version_id(policy.default_version),
        "AttachmentCount": view.attachments,
        "PermissionsBoundaryUsageCount": view.boundaries,
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }


def _pack_tags(view: PolicyView) -> list[dict[str, str]]:
    return [pack_tag(tag) for tag in view.tags.items()]


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreatePolicy": (ResourceKind.NEW_POLICY, create_policy),
    "DeletePolicy": (ResourceKind.POLICY, delete_policy),
    "GetPolicy": (ResourceKind.POLICY, get_policy),
    "ListPolicies": (ResourceKind.ANY, list_policies),
}
