"""Roles: made, shown, listed, changed and deleted.

    {"Path": "/", "RoleName": "ci", "RoleId": "AROA…", "Arn": "arn:aws:iam::…:role/ci", "CreateDate": …,
     "AssumeRolePolicyDocument": "%7B…", "Description": "…", "MaxSessionDuration": 3600, "RoleLastUsed": {},
     "Tags": […]}

What an answer has of these differs by operation, as AWS's answers do: CreateRole leaves out description and longest
session, UpdateRoleDescription the longest session, lists leave out tags, boundary and last use.

Spec: IAM API, version 2010-05-08, Role.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.domain.limit import ROLE_SESSION_SECONDS_DEFAULT
from entrepot.service.iam.role import NewRole, Role
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.document import encode_document
from entrepot.transport.aws.iam.entity import new_entity, pack_attributes, pack_role, tags_of
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def create_role(call: Call) -> dict[str, Any]:
    given = call.parameters
    wanted = NewRole(
        new_entity(call, EntityKind.ROLE, "RoleName"),
        given["AssumeRolePolicyDocument"],
        given.get("MaxSessionDuration", ROLE_SESSION_SECONDS_DEFAULT),
        tags_of(call),
    )
    made = await call.services.iam_role.create(wanted)
    return {"Role": {**pack_bare_role(made), **pack_attributes(made.entity, made.tags)}}


async def get_role(call: Call) -> dict[str, Any]:
    role = await call.services.iam_role.get(call.caller.account_id, call.parameters["RoleName"])
    whole = {**_pack_listed(role), **pack_attributes(role.entity, role.tags)}
    return {"Role": {**whole, "RoleLastUsed": {"LastUsedDate": role.used_at, "Region": role.used_region}}}


async def list_roles(call: Call) -> dict[str, Any]:
    paging, prefix = paging_of(call), call.parameters.get("PathPrefix", "/")
    page = await call.services.iam_role.list(call.caller.account_id, prefix, paging.request)
    return paging.answer("Roles", page, _pack_listed)


async def update_role(call: Call) -> dict[str, Any]:
    given = call.parameters
    description, seconds = given.get("Description"), given.get("MaxSessionDuration")
    await call.services.iam_role.update(call.caller.account_id, given["RoleName"], description, seconds)
    return {}


async def update_role_description(call: Call) -> dict[str, Any]:
    given, account_id = call.parameters, call.caller.account_id
    role = await call.services.iam_role.update(account_id, given["RoleName"], given["Description"], None)
    return {"Role": {**pack_bare_role(role), "Description": role.entity.description}}


async def update_assume_role_policy(call: Call) -> dict[str, Any]:
    given = call.parameters
    await call.services.iam_role.update_trust(call.caller.account_id, given["RoleName"], given["PolicyDocument"])
    return {}


async def delete_role(call: Call) -> dict[str, Any]:
    await call.services.iam_role.delete(call.caller.account_id, call.parameters["RoleName"])
    return {}


def pack_bare_role(role: Role) -> dict[str, Any]:
    """What every answer says of a role, whatever it was asked for."""
    return {**pack_role(role.entity), "AssumeRolePolicyDocument": encode_document(role.trust_policy)}


def _pack_listed(role: Role) -> dict[str, Any]:
    described = {"Description": role.entity.description, "MaxSessionDuration": role.session_seconds_max}
    return {**pack_bare_role(role), **described}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateRole": (ResourceKind.NEW_ROLE, create_role),
    "DeleteRole": (ResourceKind.ROLE, delete_role),
    "GetRole": (ResourceKind.ROLE, get_role),
    "ListRoles": (ResourceKind.ANY, list_roles),
    "UpdateAssumeRolePolicy": (ResourceKind.ROLE, update_assume_role_policy),
    "UpdateRole": (ResourceKind.ROLE, update_role),
    "UpdateRoleDescription": (ResourceKind.ROLE, update_role_description),
}
