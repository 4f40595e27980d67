"""Resources: the ARNs that a request names, each of which must be authorised.

ARNs of IAM's entities have their path in them, which requests do not say: `auth/authorize.py` completes those.

Spec: Service Authorization Reference, "Resource types defined by Amazon ECR" and "by AWS Identity and Access
Management".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from entrepot.auth.authorize import ANY_RESOURCE
from entrepot.domain.arn import parse_repository_arn
from entrepot.domain.error import InvalidResourceArn
from entrepot.domain.iam import EntityKind, entity_arn, parse_role_arn
from entrepot.domain.registry import Registry

if TYPE_CHECKING:
    from entrepot.domain.principal import Principal


class ResourceKind(StrEnum):
    """How an operation names its resources, in the words of the coverage page."""

    REPOSITORY = "repository"
    REPOSITORIES = "each repository named, else `repository/*`"
    TAGGED = "repository of `resourceArn`"
    ANY = "`*`"
    USER = "user, else the caller's"
    NEW_USER = "user in its path"
    GROUP = "group"
    NEW_GROUP = "group in its path"
    ROLE = "role"
    NEW_ROLE = "role in its path"
    POLICY = "policy of `PolicyArn`"
    NEW_POLICY = "policy in its path"
    INSTANCE_PROFILE = "instance profile"
    NEW_INSTANCE_PROFILE = "instance profile in its path"
    PROVIDER = "provider of `OpenIDConnectProviderArn`"
    NEW_PROVIDER = "provider of `Url`"
    SIMULATED = "identity of `PolicySourceArn`"
    ASSUMED_ROLE = "role of `RoleArn`"
    CALLER = "the caller: allowed unless denied"
    NONE = "none: always allowed"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    registry: Registry
    arns: tuple[str, ...]


def target_of(kind: ResourceKind, own: Registry, parameters: dict[str, Any], caller: Principal | None = None) -> Target:
    """Find the registry and the ARNs; `own` is the caller's account in the region of the signature.

    `caller` stands for the user that a request of IAM does not name.

    Raises:
        InvalidResourceArn: resourceArn names no repository of this region.
        ValidationFailed: RoleArn is no role's.
    """
    is_caller = kind is ResourceKind.CALLER or (kind is ResourceKind.USER and not parameters.get("UserName"))
    if is_caller and caller:
        return Target(own, (caller.identity_arn or caller.arn,))
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


_Find = Callable[[Registry, dict[str, Any]], Target]


def _entity(kind: EntityKind, member: str, *, is_new: bool = False) -> _Find:
    """An entity of the caller's account by name: in the path that it is to have, or in the path that it has."""

    def find(own: Registry, parameters: dict[str, Any]) -> Target:
        path = parameters.get("Path", "/") if is_new else "/"
        return Target(own, (entity_arn(own.account_id, kind, path, parameters.get(member, "")),))

    return find


def _role(own: Registry, parameters: dict[str, Any]) -> Target:
    parse_role_arn(parameters["RoleArn"])
    return Target(own, (parameters["RoleArn"],))


def _provider(own: Registry, parameters: dict[str, Any]) -> Target:
    issuer = parameters["Url"].partition("://")[2]
    return Target(own, (entity_arn(own.account_id, EntityKind.PROVIDER, "/", issuer),))


def _arn(member: str) -> _Find:
    return lambda own, parameters: Target(own, (parameters[member],))


_TARGETS: Final[dict[ResourceKind, _Find]] = {
    ResourceKind.REPOSITORY: _repository,
    ResourceKind.REPOSITORIES: _repositories,
    ResourceKind.TAGGED: _tagged,
    ResourceKind.ANY: _any,
    ResourceKind.CALLER: _none,
    ResourceKind.NONE: _none,
    ResourceKind.USER: _entity(EntityKind.USER, "UserName"),
    ResourceKind.NEW_USER: _entity(EntityKind.USER, "UserName", is_new=True),
    ResourceKind.GROUP: _entity(EntityKind.GROUP, "GroupName"),
    ResourceKind.NEW_GROUP: _entity(EntityKind.GROUP, "GroupName", is_new=True),
    ResourceKind.ROLE: _entity(EntityKind.ROLE, "RoleName"),
    ResourceKind.NEW_ROLE: _entity(EntityKind.ROLE, "RoleName", is_new=True),
    ResourceKind.POLICY: _arn("PolicyArn"),
    ResourceKind.NEW_POLICY: _entity(EntityKind.POLICY, "PolicyName", is_new=True),
    ResourceKind.INSTANCE_PROFILE: _entity(EntityKind.INSTANCE_PROFILE, "InstanceProfileName"),
    ResourceKind.NEW_INSTANCE_PROFILE: _entity(EntityKind.INSTANCE_PROFILE, "InstanceProfileName", is_new=True),
    ResourceKind.PROVIDER: _arn("OpenIDConnectProviderArn"),
    ResourceKind.NEW_PROVIDER: _provider,
    ResourceKind.SIMULATED: _arn("PolicySourceArn"),
    ResourceKind.ASSUMED_ROLE: _role,
}
