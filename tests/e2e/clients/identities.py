"""Users, roles and sessions, made as root with the AWS CLI, as the environment variables of those who use them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.support.server import ACCOUNT, REGION
from tests.support.world import World, aws_program

LOGIN = "ecr:GetAuthorizationToken"
PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)


def allow(*actions: str, repository: str | None = None) -> dict[str, Any]:
    """A statement, for everything or one repository."""
    resource = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}" if repository else "*"
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def iam(world: World, *arguments: str) -> Any:
    """`aws iam …` as root, or `aws sts …`: the answer."""
    service = () if arguments[0] == "sts" else ("iam",)
    printed = world.do(aws_program(), *service, *arguments, "--output", "json")
    return json.loads(printed) if printed.strip() else None


def new_user(world: World, name: str, *statements: dict[str, Any]) -> dict[str, str]:
    """Make a user with these rights; its keys as variables."""
    iam(world, "create-user", "--user-name", name)
    if statements:
        put = ("put-user-policy", "--user-name", name, "--policy-name", "rights")
        iam(world, *put, "--policy-document", _document(statements))
    key = iam(world, "create-access-key", "--user-name", name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def new_role(world: World, name: str, trusted: dict[str, Any], *statements: dict[str, Any]) -> str:
    """Make a role with a trust statement and rights; its ARN."""
    trust = _document([{"Effect": "Allow", **trusted}])
    iam(world, "create-role", "--role-name", name, "--assume-role-policy-document", trust)
    set_rights(world, name, *statements)
    return role_arn(name)


def set_rights(world: World, role: str, *statements: dict[str, Any]) -> None:
    """Give a role these rights instead of those before; none: take them away."""
    named = ("--role-name", role, "--policy-name", "rights")
    if statements:
        iam(world, "put-role-policy", *named, "--policy-document", _document(statements))
    else:
        iam(world, "delete-role-policy", *named)


def assume(world: World, role: str, session: str, keys: dict[str, str]) -> dict[str, str]:
    """A session of a role, as AssumeRole gives it to the owner of keys."""
    call = ("sts", "assume-role", "--role-arn", role, "--role-session-name", session, "--output", "json")
    made: dict[str, str] = json.loads(world.do(aws_program(), *call, env=keys))["Credentials"]
    return made


def _document(statements: Sequence[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
