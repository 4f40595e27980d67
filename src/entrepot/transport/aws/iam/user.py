"""Users: CreateUser, GetUser, ListUsers, UpdateUser and DeleteUser.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.service.iam.user import User
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.entity import new_entity, pack_attributes, pack_user, tags_of
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.iam.subject import user_name_of
from entrepot.transport.aws.resource import ResourceKind


async def create_user(call: Call) -> dict[str, Any]:
    made = await call.services.iam_user.create(new_entity(call, EntityKind.USER, "UserName"), tags_of(call))
    return {"User": _pack_whole(made)}


async def get_user(call: Call) -> dict[str, Any]:
    account_id, name = call.caller.account_id, user_name_of(call)
    if name is None:
        return {"User": await _root(call)}
    return {"User": _pack_whole(await call.services.iam_user.get(account_id, name))}


async def list_users(call: Call) -> dict[str, Any]:
    paging, prefix = paging_of(call), call.parameters.get("PathPrefix", "/")
    page = await call.services.iam_user.list(call.caller.account_id, prefix, paging.request)
    return paging.answer("Users", page, pack_user)


async def update_user(call: Call) -> dict[str, Any]:
    given = call.parameters
    path, name = given.get("NewPath"), given.get("NewUserName")
    await call.services.iam_user.update(call.caller.account_id, given["UserName"], path, name)
    return {}


async def delete_user(call: Call) -> dict[str, Any]:
    await call.services.iam_user.delete(call.caller.account_id, call.parameters["UserName"])
    return {}


def _pack_whole(user: User) -> dict[str, Any]:
    return {**pack_user(user.entity), **pack_attributes(user.entity, user.tags)}


async def _root(call: Call) -> dict[str, Any]:
    """Root has no path, and no name but the account's alias."""
    account = await call.services.identity.get_account(call.caller.account_id)
    aliases = await call.services.iam_account.list_aliases(account.id)
    return {
        "UserName": aliases[0] if aliases else None,
        "UserId": account.id,
        "Arn": call.caller.principal.arn,
        "CreateDate": account.created_at,
    }


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateUser": (ResourceKind.NEW_USER, create_user),
    "DeleteUser": (ResourceKind.USER, delete_user),
    "GetUser": (ResourceKind.USER, get_user),
    "ListUsers": (ResourceKind.ANY, list_users),
    "UpdateUser": (ResourceKind.USER, update_user),
}
