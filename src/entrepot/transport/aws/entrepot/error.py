"""Words of entrepot's own service: code, status and message of its failures.

Its model is ours, so the sentences are as well; they follow ECR's.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain import robot_error as robot
from entrepot.domain.error import RegistryError
from entrepot.transport.aws.error_row import Row


def _token(error: Any) -> str:
    return f"The robot token with name '{error.name}'"


def _registry(error: Any) -> str:
    return f"in the registry with id '{error.registry.account_id}'"


ROWS: Final[dict[type[RegistryError], Row]] = {
    robot.RobotTokenNotFound: Row(
        "RobotTokenNotFoundException", lambda e: f"{_token(e)} does not exist {_registry(e)}"
    ),
    robot.RobotTokenAlreadyExists: Row(
        "RobotTokenAlreadyExistsException", lambda e: f"{_token(e)} already exists {_registry(e)}"
    ),
    robot.RobotRoleUnusable: Row("InvalidRoleException", lambda e: f"The role {e.role_arn} cannot be used: {e.detail}"),
}
"""One row for every error of `domain/robot_error.py`."""
