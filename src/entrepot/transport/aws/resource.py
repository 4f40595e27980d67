"""Resources: the ARNs that a request names, each of which must be authorised.

Spec: Service Authorization Reference, "Resource types defined by Amazon ECR".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from entrepot.auth.authorize import ANY_RESOURCE
from entrepot.domain.arn import parse_repository_arn
from entrepot.domain.error import InvalidResourceArn
from entrepot.domain.registry import Registry


class ResourceKind(StrEnum):
    """How an operation names its resources, in the words of the coverage page."""

    REPOSITORY = "repository"
    REPOSITORIES = "each repository named, else `repository/*`"
    TAGGED = "repository of `resourceArn`"
    ANY = "`*`"
    ROLE = "role"
    NONE = "none: always allowed"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    registry: Registry
    arns: tuple[str, ...]


def target_of(kind: ResourceKind, own: Registry, parameters: dict[str, Any]) -> Target:
    """Find the registry and the ARNs; `own` is the caller's account in the region of the signature.

    Raises:
        InvalidResourceArn: resourceArn names no repository of this region.
    """
    return _TARGETS[kind](own, parameters)


def _registry(own: Registry, parameters: dict[str, Any]) -> Registry:
    return Registry(parameters.get("registryId", own.account_id), own.region)


def _repository(own: Registry, parameters: dict[str, Any]) -> Target:
    registry = _registry(own, parameters)
    return Target(registry, (registry.repository_arn(parameters["repositoryName"]),))


def _repositories(own: Registry, parameters: dict[str, Any]) -> Target:
    registry = _registry(own, parameters)
    names = parameters.get("repositoryNames") or [ANY_RESOURCE]
    return Target(registry, tuple(registry.repository_arn(name) for name in names))


def _tagged(own: Registry, parameters: dict[str, Any]) -> Target:
    registry, name = parse_repository_arn(parameters["resourceArn"])
    if registry.region != own.region:
        raise InvalidResourceArn(parameters["resourceArn"])
    return Target(registry, (registry.repository_arn(name),))


def _any(own: Registry, parameters: dict[str, Any]) -> Target:
    registry = _registry(own, parameters)
    if registry != own:  # `*` stands for everything of the caller's own account, never for another's
        return Target(registry, (f"arn:{registry.partition}:ecr:{registry.region}:{registry.account_id}:*",))
    return Target(registry, (ANY_RESOURCE,))


def _none(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(_registry(own, parameters), ())


_TARGETS: Final[dict[ResourceKind, Callable[[Registry, dict[str, Any]], Target]]] = {
    ResourceKind.REPOSITORY: _repository,
    ResourceKind.REPOSITORIES: _repositories,
    ResourceKind.TAGGED: _tagged,
    ResourceKind.ANY: _any,
    ResourceKind.NONE: _none,
}
