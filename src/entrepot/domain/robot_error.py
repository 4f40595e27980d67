"""What robot tokens refuse: errors of entrepot's own service beside those of `error.py`.

`transport/aws/entrepot/error.py` has code, status and words of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.domain.error import RegistryError

if TYPE_CHECKING:
    from entrepot.domain.registry import Registry


class RobotError(RegistryError):
    """A refusal of entrepot's own service; the data plane never meets one."""


class RobotTokenNotFound(RobotError):
    """No robot token of that name in the registry."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.registry, self.name = registry, name


class RobotTokenAlreadyExists(RobotError):
    """A robot token of that name is valid in the registry."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.registry, self.name = registry, name


class RobotRoleUnusable(RobotError):
    """The role does not exist, or its trust policy does not let robot tokens assume it; `detail` says which."""

    def __init__(self, role_arn: str, detail: str) -> None:
        super().__init__(role_arn, detail)
        self.role_arn, self.detail = role_arn, detail
