"""Robot token operations: CreateRobotToken, DescribeRobotTokens and DeleteRobotToken.

Spec: docs/robot-tokens.md; `data/entrepot/2026-11-01/service-2.json`.
"""

from __future__ import annotations

from typing import Any

from entrepot.domain.error import InvalidParameter
from entrepot.domain.limit import PAGE_SIZE_DEFAULT
from entrepot.domain.robot_token import NewRobotToken, RobotScope, RobotToken
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.page_token import paging_of


async def create_robot_token(call: Call) -> dict[str, Any]:
    given = call.parameters
    wanted = NewRobotToken(
        call.registry,
        given["name"],
        given["roleArn"],
        RobotScope.parse(given["repositories"], given["actions"], given.get("addresses", ())),
        given.get("expiresAt"),
        call.caller.principal.arn,
    )
    made = await call.services.robot_token.create(wanted)
    return {"robotToken": pack_robot_token(made.token), "password": made.password}


async def describe_robot_tokens(call: Call) -> dict[str, Any]:
    names = call.parameters.get("names")
    if names is None:
        paging = paging_of(call, PAGE_SIZE_DEFAULT)
        page = await call.services.robot_token.list(call.registry, paging.request)
        return {"robotTokens": [pack_robot_token(token) for token in page.items], "nextToken": paging.next_token(page)}
    if "nextToken" in call.parameters or "maxResults" in call.parameters:
        raise InvalidParameter("names", "names can not be combined with nextToken or maxResults")
    found = await call.services.robot_token.describe(call.registry, names)
    return {"robotTokens": [pack_robot_token(token) for token in found]}


async def delete_robot_token(call: Call) -> dict[str, Any]:
    return {
        "robotToken": pack_robot_token(await call.services.robot_token.revoke(call.registry, call.parameters["name"]))
    }


def pack_robot_token(token: RobotToken) -> dict[str, Any]:
    """`RobotToken`."""
    wanted, use = token.wanted, token.last_use
    return {
        "name": wanted.name,
        "arn": token.arn,
        "tokenId": token.id,
        "roleArn": wanted.role_arn,
        "repositories": list(wanted.scope.repositories),
        "actions": list(wanted.scope.actions),
        "addresses": list(wanted.scope.addresses),
        "status": token.status.value,
        "createdAt": token.created_at,
        "createdBy": wanted.created_by or None,
        "expiresAt": wanted.expires_at,
        "lastUsedAt": use.at if use else None,
        "lastUsedAddress": use.address if use else None,
    }
