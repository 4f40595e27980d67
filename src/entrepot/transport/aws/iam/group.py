"""Groups: CreateGroup, GetGroup, ListGroups, UpdateGroup, DeleteGroup, and who is in them.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.entity import new_entity, pack_group, pack_user
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def create_group(call: Call) -> dict[str, Any]:
    made = await call.services.iam_group.create(new_entity(call, EntityKind.GROUP, "GroupName"))
    return {"Group": pack_group(made)}


async def get_group(call: Call) -> dict[str, Any]:
    paging, name = paging_of(call), call.parameters["GroupName"]
    group, page = await call.services.iam_group.get(call.caller.account_id, name, paging.request)
    return {"Group": pack_group(group), **paging.answer("Users", page, pack_user)}


async def list_groups(call: Call) -> dict[str, Any]:
    paging, prefix = paging_of(call), call.parameters.get("PathPrefix", "/")
    page = await call.services.iam_group.list(call.caller.account_id, prefix, paging.request)
    return paging.answer("Groups", page, pack_group)


async def list_groups_for_user(call: Call) -> dict[str, Any]:
    paging, user = paging_of(call), call.parameters["UserName"]
    page = await call.services.iam_group.list_of_user(call.caller.account_id, user, paging.request)
    return paging.answer("Groups", page, pack_group)


async def update_group(call: Call) -> dict[str, Any]:
    given = call.parameters
    path, name = given.get("NewPath"), given.get("NewGroupName")
    await call.services.iam_group.update(call.caller.account_id, given["GroupName"], path, name)
    return {}


async def delete_group(call: Call) -> dict[str, Any]:
    await call.services.iam_group.delete(call.caller.account_id, call.parameters["GroupName"])
    return {}


async def add_user_to_group(call: Call) -> dict[str, Any]:
    group, user = call.parameters["GroupName"], call.parameters["UserName"]
    await call.services.iam_group.add_user(call.caller.account_id, group, user)
    return {}


async def remove_user_from_group(call: Call) -> dict[str, Any]:
    group, user = call.parameters["GroupName"], call.parameters["UserName"]
    await call.services.iam_group.remove_user(call.caller.account_id, group, user)
    return {}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "AddUserToGroup": (ResourceKind.GROUP, add_user_to_group),
    "CreateGroup": (ResourceKind.NEW_GROUP, create_group),
    "DeleteGroup": (ResourceKind.GROUP, delete_group),
    "GetGroup": (ResourceKind.GROUP, get_group),
    "ListGroups": (ResourceKind.ANY, list_groups),
    "ListGroupsForUser": (ResourceKind.USER, list_groups_for_user),
    "RemoveUserFromGroup": (ResourceKind.GROUP, remove_user_from_group),
    "UpdateGroup": (ResourceKind.GROUP, update_group),
}
