"""IAM's operations: those that a module of handlers lists, and the rest of the model, which are missing.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access Management".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from entrepot.transport.aws.call import Handler
from entrepot.transport.aws.iam import (
    absent,
    access_key,
    account,
    attachment,
    authorization_detail,
    boundary,
    group,
    inline_policy,
    instance_profile,
    policy,
    policy_version,
    provider,
    role,
    simulation,
    tag,
    user,
)
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import Beside, Row, row

_OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    **absent.OPERATIONS,
    **access_key.OPERATIONS,
    **account.OPERATIONS,
    **attachment.OPERATIONS,
    **authorization_detail.OPERATIONS,
    **boundary.OPERATIONS,
    **group.OPERATIONS,
    **inline_policy.OPERATIONS,
    **instance_profile.OPERATIONS,
    **policy.OPERATIONS,
    **policy_version.OPERATIONS,
    **provider.OPERATIONS,
    **role.OPERATIONS,
    **simulation.OPERATIONS,
    **tag.OPERATIONS,
    **user.OPERATIONS,
}
"""By name: what each is authorised on, and its handler."""

_ALSO: Final = {
    "CreateInstanceProfile": (("iam:TagInstanceProfile", "Tags"),),
    "CreateOpenIDConnectProvider": (("iam:TagOpenIDConnectProvider", "Tags"),),
    "CreatePolicy": (("iam:TagPolicy", "Tags"),),
    "CreateRole": (("iam:TagRole", "Tags"),),
    "CreateUser": (("iam:TagUser", "Tags"),),
}
"""Further actions, each with the member whose presence demands it."""

_PASSED_TO_MACHINES: Final = Beside(
    "iam:PassRole", ResourceKind.ROLE, lambda _: {"iam:passedtoservice": ("ec2.amazonaws.com",)}
)
_BESIDE: Final = {"AddRoleToInstanceProfile": (_PASSED_TO_MACHINES,)}
"""Further actions on other resources."""

_NEW_PLACE: Final = {"UpdateGroup": ("NewPath", "NewGroupName"), "UpdateUser": ("NewPath", "NewUserName")}
"""What moves: "the requester must have appropriate permissions on both the source object and the target object"."""


def _row(name: str) -> Row:
    resource, handler = _OPERATIONS.get(name, (ResourceKind.ANY, None))
    plain = row("iam", name, resource, handler, also=_ALSO.get(name, ()))
    return replace(plain, beside=_BESIDE.get(name, ()), new_place=_NEW_PLACE.get(name))


ROWS: Final = tuple(_row(name) for name in service_model("iam").operation_names)
