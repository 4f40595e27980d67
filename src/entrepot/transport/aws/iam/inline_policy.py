"""Inline policies: Put…Policy, Get…Policy, List…Policies and Delete…Policy of users, groups and roles.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.document import encode_document
from entrepot.transport.aws.iam.holder import GROUP, ROLE, USER, HolderKind, operations_of
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def _put(call: Call, kind: HolderKind) -> dict[str, Any]:
    name, document = call.parameters["PolicyName"], call.parameters["PolicyDocument"]
    await call.services.iam_inline_policy.put(kind.holder_of(call), name, document)
    return {}


async def _get(call: Call, kind: HolderKind) -> dict[str, Any]:
    given = call.parameters
    document = await call.services.iam_inline_policy.get(kind.holder_of(call), given["PolicyName"])
    return {
        kind.name_member: given[kind.name_member],
        "PolicyName": given["PolicyName"],
        "PolicyDocument": encode_document(document),
    }


async def _list(call: Call, kind: HolderKind) -> dict[str, Any]:
    paging = paging_of(call)
    page = await call.services.iam_inline_policy.list(kind.holder_of(call), paging.request)
    return paging.answer("PolicyNames", page, str)


async def _delete(call: Call, kind: HolderKind) -> dict[str, Any]:
    await call.services.iam_inline_policy.delete(kind.holder_of(call), call.parameters["PolicyName"])
    return {}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = operations_of(
    (GROUP, USER, ROLE),
    {"Put{}Policy": _put, "Get{}Policy": _get, "List{}Policies": _list, "Delete{}Policy": _delete},
)
