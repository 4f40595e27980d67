"""Robot tokens for tests: a role that trusts them, a token of it, and a client of `/v2/` that has it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from entrepot.domain.robot_token import TRUSTED_SERVICE, MadeRobotToken, NewRobotToken, RobotScope
from entrepot.service.robot_token import RobotTokenService
from tests.support.aws import AwsWorld
from tests.support.iam_rows import document
from tests.support.registry import HOME
from tests.support.wire import Client, basic

ROLE = "deployer"


def role_arn(name: str = ROLE, account_id: str = HOME.account_id) -> str:
    return f"arn:aws:iam::{account_id}:role/{name}"


def trust(**members: Any) -> str:
    """A trust policy that lets robot tokens assume a role; `members` are further ones of its statement."""
    statement = {"Effect": "Allow", "Principal": {"Service": TRUSTED_SERVICE}, "Action": "sts:AssumeRole", **members}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True, slots=True)
class Robot:
    """A token and a client that has it."""

    made: MadeRobotToken
    oci: Client

    @property
    def arn(self) -> str:
        """As denials name it."""
        name = self.made.token.wanted.name
        return f"arn:aws:sts::{HOME.account_id}:assumed-role/{ROLE}/robot/{name}"


async def make_role(world: AwsWorld, name: str = ROLE, *, allows: str | None = None, trusts: str | None = None) -> None:
    """A role that may do everything in ECR unless its policy is given, and that trusts robot tokens."""
    made = await world.client.iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=trusts or trust())
    assert made.status == 200, made.parsed
    text = allows or document("ecr:*")
    put = await world.client.iam("PutRolePolicy", RoleName=name, PolicyName="own", PolicyDocument=text)
    assert put.status == 200, put.parsed


def wanted(name: str = "ci", **members: Any) -> NewRobotToken:
    """A token for `team/*` that may pull, unless `repositories`, `actions` or `addresses` say otherwise."""
    scope = RobotScope.parse(
        members.pop("repositories", ["team/*"]), members.pop("actions", ["PULL"]), members.pop("addresses", [])
    )
    return NewRobotToken(HOME, name, members.pop("role", role_arn()), scope, **members)


async def make_robot(world: AwsWorld, name: str = "ci", **members: Any) -> Robot:
    """A token of the role `deployer`, which must be there."""
    made = await service_of(world).create(wanted(name, **members))
    return Robot(made, replace(world.registry.client, authorization=basic(made.password)))


def service_of(world: AwsWorld) -> RobotTokenService:
    return world.registry.services.robot_token
