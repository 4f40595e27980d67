"""Operations of entrepot's own service, which AWS does not have."""

from __future__ import annotations

from typing import Final

from entrepot.domain.robot_token import TRUSTED_SERVICE
from entrepot.transport.aws.entrepot import robot_token
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import Beside, row

_ROBOT = ResourceKind.ROBOT_TOKEN
_PASSED: Final = Beside("iam:PassRole", ResourceKind.PASSED_ROLE, lambda _: {"iam:passedtoservice": (TRUSTED_SERVICE,)})
"""Whoever gives a role to robots must be allowed to: otherwise he could get what the role may."""

ROWS: Final = (
    row(
        "entrepot",
        "CreateRobotToken",
        _ROBOT,
        robot_token.create_robot_token,
        beside=(_PASSED,),
    ),
    row("entrepot", "DeleteRobotToken", _ROBOT, robot_token.delete_robot_token),
    row("entrepot", "DescribeRobotTokens", ResourceKind.ROBOT_TOKENS, robot_token.describe_robot_tokens),
)
