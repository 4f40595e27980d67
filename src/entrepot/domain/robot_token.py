"""Robot tokens: registry passwords of programs, each for a role, for repositories, to pull or push, from addresses.

The password is `entr_`, then without a break the token's id (16 characters), its secret (48) and a checksum (7), all of
A to Z and 2 to 7: programs that look for leaked credentials know it by its beginning and need not guess.

An extension of ours, for which AWS has nothing; docs/design/robot_token.md.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from entrepot.domain.error import InvalidParameter, TokenInvalid
from entrepot.domain.principal import Principal, Session, role_session_of
from entrepot.domain.registry import Registry

PASSWORD_PREFIX: Final = "entr_"  # noqa: S105 (the beginning of every password, and no secret)
ID_BYTES: Final = 10
SECRET_BYTES: Final = 30
TRUSTED_SERVICE: Final = "robot-tokens.entrepot"
"""Who assumes the role of a robot token: the role's trust policy must let this service."""
SESSION_PREFIX: Final = "robot/"
"""What the session of a robot token is called, before its name: no session that STS makes can have a slash."""

_ID: Final = slice(5, 21)
_CHECKSUM_LENGTH: Final = 7
_FORM: Final = re.compile(r"entr_([A-Z2-7]{16})[A-Z2-7]{55}")
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class RobotAction(StrEnum):
    """What a token may be made for."""

    PULL = "PULL"
    PUSH = "PUSH"


_ACTIONS: Final = {
    RobotAction.PULL: (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:ListImages",
    ),
    RobotAction.PUSH: (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ),
}
"""What of ECR each stands for. To push, clients ask whether a manifest is there already, as ECR's own page has it."""


class RobotStatus(StrEnum):
    """Whether a token can be used."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    ROLE_DELETED = "ROLE_DELETED"
    ROLE_NOT_TRUSTING = "ROLE_NOT_TRUSTING"
    """The role's trust policy does not let robot tokens assume it."""


@dataclass(frozen=True, slots=True)
class RobotScope:
    """What a token is for, at most: its role's permissions count within this."""

    repositories: tuple[str, ...]
    """Names in which `*` stands for any characters, in the token's own registry."""
    actions: tuple[RobotAction, ...]
    addresses: tuple[str, ...] = ()
    """Addresses and networks; none: from anywhere."""

    @classmethod
    def parse(cls, repositories: Sequence[str], actions: Sequence[str], addresses: Sequence[str] = ()) -> Self:
        """From what was asked for, each thing once; names have been checked.

        Raises:
            InvalidParameter: an address or network is none.
        """
        for number, text in enumerate(addresses, 1):
            _check_network(f"addresses.{number}.member", text)
        wanted = tuple(sorted({RobotAction(action) for action in actions}))
        return cls(tuple(dict.fromkeys(repositories)), wanted, tuple(dict.fromkeys(addresses)))

    @classmethod
    def read(cls, text: str) -> Self:
        """From the text that `write` made."""
        members: dict[str, Any] = json.loads(text)
        actions = tuple(RobotAction(action) for action in members["actions"])
        return cls(tuple(members["repositories"]), actions, tuple(members.get("addresses", ())))

    def write(self) -> str:
        """As JSON."""
        members = {"repositories": self.repositories, "actions": self.actions, "addresses": self.addresses}
        return json.dumps({name: list(value) for name, value in members.items() if value})

    def policy(self, registry: Registry) -> str:
        """The same as a policy: what it does not allow, nothing allows."""
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Action": sorted({action for one in self.actions for action in _ACTIONS[one]}),
            "Resource": [registry.repository_arn(pattern) for pattern in self.repositories],
        }
        if self.addresses:
            statement["Condition"] = {"IpAddress": {"aws:SourceIp": list(self.addresses)}}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True, slots=True)
class NewRobotToken:
    """A token that is to be made."""

    registry: Registry
    name: str
    role_arn: str
    scope: RobotScope
    expires_at: datetime | None = None
    created_by: str = ""
    """The ARN of who makes it; empty for an operator."""


@dataclass(frozen=True, slots=True)
class RobotUse:
    """When a token was used last, and from where."""

    at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class RobotToken:
    """A token as it is shown."""

    wanted: NewRobotToken
    id: str
    created_at: datetime
    status: RobotStatus
    last_use: RobotUse | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return robot_arn(self.wanted.registry, self.wanted.name)


@dataclass(frozen=True, slots=True)
class MadeRobotToken:
    """A token with its password, which is shown this once."""

    token: RobotToken
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RobotIdentity:
    """Who a token acts as: a session of its role that no call of STS could have made."""

    principal: Principal
    session: Session


def robot_arn(registry: Registry, name: str) -> str:
    """The ARN of the token `name`, existing or not; `*` stands for every token."""
    return f"arn:{registry.partition}:entrepot:{registry.region}:{registry.account_id}:robot-token/{name}"


def robot_identity(wanted: NewRobotToken, role: tuple[str, str, str], created_at: datetime) -> RobotIdentity:
    """Who a token acts as, by unique id, path and name of its role."""
    name = f"{SESSION_PREFIX}{wanted.name}"
    expires_at = wanted.expires_at or _NEVER
    principal = role_session_of(wanted.registry.account_id, *role, name).in_partition(wanted.registry.partition)
    return RobotIdentity(principal, Session(created_at, expires_at, name))


def new_password(token_id: str, secret: bytes) -> str:
    """The password of a token."""
    text = f"{PASSWORD_PREFIX}{token_id}{base64.b32encode(secret).decode()}"
    return text + _checksum(text)


def is_robot_password(password: str) -> bool:
    """Whether a password is meant to be a robot token's, false or not."""
    return password.startswith(PASSWORD_PREFIX)


def read_password(password: str) -> str:
    """The id of the token that a password says it is of, without believing it.

    Raises:
        TokenInvalid: not of our form, or mistyped.
    """
    match = _FORM.fullmatch(password)
    if match is None or _checksum(password[:-_CHECKSUM_LENGTH]) != password[-_CHECKSUM_LENGTH:]:
        raise TokenInvalid
    return match[1]


def claimed_id(password: str) -> str:
    """What stands where the id is; of a password that is right, the id."""
    return password[_ID]


def password_hash(password: str) -> bytes:
    """What is kept of a password: its secret has 240 random bits, so nobody can try them, however quick the hash."""
    return hashlib.sha256(password.encode()).digest()


def _checksum(text: str) -> str:
    return base64.b32encode(zlib.crc32(text.encode()).to_bytes(4)).decode().rstrip("=")


def _check_network(path: str, text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        hint = "" if "host bits" not in str(error) else f": {ipaddress.ip_network(text, strict=False)} is one"
        raise InvalidParameter(path, f"must be an address or a network in CIDR notation{hint}") from error
