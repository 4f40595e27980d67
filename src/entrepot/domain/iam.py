"""IAM's entities: users, groups, roles and policies, with their unique ids, paths, names and ARNs.

Spec: IAM user guide, "IAM identifiers": unique ids have a prefix of their kind and are never reused; names of a kind
differ by more than case; paths and names stand in ARNs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from entrepot.domain.iam_error import ValidationFailed

_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):role(/(?:[!-~]+/)?)([\w+=,.@-]+)", re.ASCII)


class EntityKind(Enum):
    """Kinds of entities; the value is what their ARNs call them."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    POLICY = "policy"
    INSTANCE_PROFILE = "instance-profile"
    PROVIDER = "oidc-provider"
    """An OpenID Connect provider; its name is the issuer's host and path."""

    @property
    def id_prefix(self) -> str:
        """What the unique ids of the kind begin with."""
        return _ID_PREFIXES[self]


_ID_PREFIXES = {
    EntityKind.USER: "AIDA",
    EntityKind.GROUP: "AGPA",
    EntityKind.ROLE: "AROA",
    EntityKind.INSTANCE_PROFILE: "AIPA",
    EntityKind.POLICY: "ANPA",
    EntityKind.PROVIDER: "AOID",  # never shown: AWS's providers have no unique id
}


@dataclass(frozen=True, slots=True)
class Entity:
    """One user, group, role or managed policy."""

    id: str
    """The unique id."""
    account_id: str
    kind: EntityKind
    path: str
    """Begins and ends with a slash."""
    name: str
    created_at: datetime
    description: str | None = None
    boundary: str | None = None
    """ARN of the policy that bounds a user or role."""

    @property
    def arn(self) -> str:
        """`arn:aws:iam::ACCOUNT:KIND/PATH/NAME`."""
        return entity_arn(self.account_id, self.kind, self.path, self.name)


@dataclass(frozen=True, slots=True)
class NewEntity:
    """An entity that is to be made."""

    account_id: str
    kind: EntityKind
    path: str
    name: str
    description: str | None = None
    boundary: str | None = None

    def made(self, unique_id: str, created_at: datetime) -> Entity:
        """The entity that it becomes."""
        return Entity(
            unique_id, self.account_id, self.kind, self.path, self.name, created_at, self.description, self.boundary
        )


def entity_arn(account_id: str, kind: EntityKind, path: str, name: str) -> str:
    """The ARN of an entity, existing or not."""
    return f"arn:aws:iam::{account_id}:{kind.value}{path}{name}"


class RoleArn(NamedTuple):
    """The ARN of a role taken apart, without its partition."""

    account_id: str
    path: str
    name: str


def parse_role_arn(text: str) -> RoleArn:
    """Read `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.

    Raises:
        ValidationFailed: anything else.
    """
    if not _ARN.fullmatch(text):
        raise ValidationFailed(f"{text} is invalid")
    if (parts := _ROLE_ARN.fullmatch(text)) is None:
        raise ValidationFailed("Request ARN is invalid")
    return RoleArn(*parts.groups())
