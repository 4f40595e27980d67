"""Resources: the ARNs that a request names, each of which must be authorised.

ARNs of IAM's entities have their path in them, which requests do not say: `auth/authorize.py` completes those.

Spec: Service Authorization Reference, "Resource types defined by Amazon ECR" and "by AWS Identity and Access
Management".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from entrepot.auth.authorize import ANY_RESOURCE
from entrepot.domain.arn import parse_repository_arn
from entrepot.domain.error import InvalidResourceArn
from entrepot.domain.iam import EntityKind, entity_arn, parse_role_arn
from entrepot.domain.kms import alias_arn, check_alias_name, parse_key_id, parse_key_name, parse_target_key
from entrepot.domain.registry import Registry
from entrepot.domain.robot_token import robot_arn
from entrepot.domain.vpc_endpoint import ec2_arn, resource_type
from entrepot.service.kms.cryptography import arn_of

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
    NEW_ENDPOINT = "VPC endpoint, and the VPC, subnets, security groups and route tables named"
    ENDPOINT = "VPC endpoint, and what is added to it"
    ENDPOINTS = "each VPC endpoint named"
    EC2_TAGGED = "each of `Resources`"
    PASSED_ROLE = "role of `roleArn`"
    ROBOT_TOKEN = "robot token"  # noqa: S105 (the words of the page)
    ROBOT_TOKENS = "each robot token named, else `robot-token/*`"
    KEY = "key of `KeyId`"
    KEY_BY_ANY_NAME = "key of `KeyId`, which may be an alias"
    CIPHERTEXT_KEY = "key of `KeyId`, else of the ciphertext"
    CIPHERTEXT_SOURCE_KEY = "key of `SourceKeyId`, else of the ciphertext"
    DESTINATION_KEY = "key of `DestinationKeyId`"
    ALIAS = "alias of `AliasName`, and its key"
    ALIAS_AND_KEY = "alias of `AliasName`, keys that it names before and after"
    CALLER = "the caller: allowed unless denied"
    NONE = "none: always allowed"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    registry: Registry
    arns: tuple[str, ...]
    arns_by_action: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of actions that are about some of them only."""

    def arns_of(self, action: str) -> tuple[str, ...]:
        """What an action is about."""
        return self.arns_by_action.get(action, self.arns)


def target_of(kind: ResourceKind, own: Registry, parameters: dict[str, Any], caller: Principal | None = None) -> Target:
    """Find the registry and the ARNs; `own` is the caller's account in the region of the signature.

    `caller` stands for the user that a request of IAM does not name.

    Raises:
        InvalidResourceArn: resourceArn names no repository of this region.
        ValidationFailed: RoleArn is no role's.
        KmsError: KeyId, TargetKeyId or AliasName cannot be one.
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


def _passed_role(own: Registry, parameters: dict[str, Any]) -> Target:
    parse_role_arn(parameters["roleArn"])
    return Target(own, (parameters["roleArn"],))


def _robot_token(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(own, (robot_arn(own, parameters["name"]),))


def _robot_tokens(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(own, tuple(robot_arn(own, name) for name in parameters.get("names") or [ANY_RESOURCE]))


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


def _new_endpoint(own: Registry, parameters: dict[str, Any]) -> Target:
    made = ec2_arn(own, "vpc-endpoint", ANY_RESOURCE)
    return Target(own, (made, *_parts(own, parameters, "")), {"ec2:CreateTags": (made,)})


def _endpoint(own: Registry, parameters: dict[str, Any]) -> Target:
    changed = ec2_arn(own, "vpc-endpoint", parameters["VpcEndpointId"])
    return Target(own, (changed, *_parts(own, parameters, "Add"), *_parts(own, parameters, "Remove")))


def _parts(own: Registry, parameters: dict[str, Any], prefix: str) -> tuple[str, ...]:
    """What an endpoint consists of, in members whose names begin with `prefix`."""
    lists = ((kind, parameters.get(f"{prefix}{member}") or ()) for member, kind in _ENDPOINT_PARTS.items())
    vpcs = [parameters["VpcId"]] if "VpcId" in parameters else []
    named = [("vpc", one) for one in vpcs] + [(kind, one) for kind, ids in lists for one in ids]
    return tuple(dict.fromkeys(ec2_arn(own, kind, one) for kind, one in named))


_ENDPOINT_PARTS: Final = {
    "SubnetIds": "subnet",
    "SecurityGroupIds": "security-group",
    "RouteTableIds": "route-table",
}


def _endpoints(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(own, tuple(ec2_arn(own, "vpc-endpoint", one) for one in parameters["VpcEndpointIds"]))


def _ec2_tagged(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(own, tuple(ec2_arn(own, resource_type(one), one) for one in parameters["Resources"]))


def _key(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(own, (parse_key_id(parameters["KeyId"], own).arn,))


def _key_by_any_name(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(own, (parse_key_name(parameters["KeyId"], own).arn,))


def _destination_key(own: Registry, parameters: dict[str, Any]) -> Target:
    return Target(own, (parse_key_name(parameters["DestinationKeyId"], own).arn,))


def _of_ciphertext(member: str) -> _Find:
    """The key that is named, else the one that a ciphertext says that it was made with."""

    def find(own: Registry, parameters: dict[str, Any]) -> Target:
        if member not in parameters and "CiphertextBlob" not in parameters:
            return Target(own, (ANY_RESOURCE,))  # the handler refuses: the model does not say that it is required
        return Target(own, (arn_of(own, parameters.get("CiphertextBlob", b""), parameters.get(member)),))

    return find


def _alias(own: Registry, parameters: dict[str, Any]) -> Target:
    """Its key is known once it is looked at: the handler asks for that."""
    check_alias_name(parameters["AliasName"])
    return Target(own, (alias_arn(own, parameters["AliasName"]),))


def _alias_and_key(own: Registry, parameters: dict[str, Any]) -> Target:
    arns = _alias(own, parameters).arns
    return Target(own, (*arns, parse_target_key(parameters["TargetKeyId"], own).arn))


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
    ResourceKind.NEW_ENDPOINT: _new_endpoint,
    ResourceKind.ENDPOINT: _endpoint,
    ResourceKind.ENDPOINTS: _endpoints,
    ResourceKind.EC2_TAGGED: _ec2_tagged,
    ResourceKind.PASSED_ROLE: _passed_role,
    ResourceKind.ROBOT_TOKEN: _robot_token,
    ResourceKind.ROBOT_TOKENS: _robot_tokens,
    ResourceKind.KEY: _key,
    ResourceKind.KEY_BY_ANY_NAME: _key_by_any_name,
    ResourceKind.CIPHERTEXT_KEY: _of_ciphertext("KeyId"),
    ResourceKind.CIPHERTEXT_SOURCE_KEY: _of_ciphertext("SourceKeyId"),
    ResourceKind.DESTINATION_KEY: _destination_key,
    ResourceKind.ALIAS: _alias,
    ResourceKind.ALIAS_AND_KEY: _alias_and_key,
}
