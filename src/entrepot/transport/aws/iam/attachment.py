"""Attachments: Attach…Policy, Detach…Policy and ListAttached…Policies of all holders, and ListEntitiesForPolicy.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import Entity
from entrepot.domain.managed_policy import PolicyArn, PolicyUse
from entrepot.service.iam.attachment import HolderFilter
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.holder import GROUP, ROLE, USER, HolderKind, operations_of
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind

_HOLDERS: Final = (GROUP, USER, ROLE)


async def _attach(call: Call, kind: HolderKind) -> dict[str, Any]:
    await call.services.iam_attachment.attach(kind.holder_of(call), call.parameters["PolicyArn"])
    return {}


async def _detach(call: Call, kind: HolderKind) -> dict[str, Any]:
    await call.services.iam_attachment.detach(kind.holder_of(call), call.parameters["PolicyArn"])
    return {}


async def _list_attached(call: Call, kind: HolderKind) -> dict[str, Any]:
    paging, prefix = paging_of(call), call.parameters.get("PathPrefix", "/")
    page = await call.services.iam_attachment.list(kind.holder_of(call), prefix, paging.request)
    return paging.answer("AttachedPolicies", page, pack_attached)


async def list_entities_for_policy(call: Call) -> dict[str, Any]:
    given, paging = call.parameters, paging_of(call)
    wanted = HolderFilter(
        [kind.kind for kind in _HOLDERS if given.get("EntityFilter", kind.word) == kind.word],
        given.get("PathPrefix", "/"),
        PolicyUse(given.get("PolicyUsageFilter", "")),
    )
    page = await call.services.iam_attachment.list_holders(
        call.caller.account_id, given["PolicyArn"], wanted, paging.request
    )
    rest = paging.answer("PolicyGroups", page, lambda entity: entity)
    lists = {
        f"Policy{kind.word}s": [_pack(kind, one) for one in page.items if one.kind is kind.kind] for kind in _HOLDERS
    }
    return {**rest, **lists}


def pack_attached(arn: PolicyArn) -> dict[str, str]:
    """An attached policy."""
    return {"PolicyName": arn.name, "PolicyArn": str(arn)}


def _pack(kind: HolderKind, entity: Entity) -> dict[str, str]:
    return {kind.name_member: entity.name, f"{kind.word}Id": entity.id}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "ListEntitiesForPolicy": (ResourceKind.POLICY, list_entities_for_policy),
    **operations_of(
        _HOLDERS, {"Attach{}Policy": _attach, "Detach{}Policy": _detach, "ListAttached{}Policies": _list_attached}
    ),
}
