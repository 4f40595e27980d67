"""Permissions boundaries: Put…PermissionsBoundary and Delete…PermissionsBoundary of users and roles.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.holder import ROLE, USER, HolderKind, operations_of
from entrepot.transport.aws.resource import ResourceKind


async def _put(call: Call, kind: HolderKind) -> dict[str, Any]:
    await call.services.iam_boundary.put(kind.holder_of(call), call.parameters["PermissionsBoundary"])
    return {}


async def _delete(call: Call, kind: HolderKind) -> dict[str, Any]:
    await call.services.iam_boundary.delete(kind.holder_of(call))
    return {}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = operations_of(
    (USER, ROLE), {"Put{}PermissionsBoundary": _put, "Delete{}PermissionsBoundary": _delete}
)
