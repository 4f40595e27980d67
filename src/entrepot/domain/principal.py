"""Principals and callers: who is behind a request, and what a session carries.

Spec: IAM user guide, "IAM identifiers" and "AWS JSON policy elements: Principal"; STS API, AssumeRole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from entrepot.domain.arn import account_of
from entrepot.domain.managed_policy import AWS_ACCOUNT


class PrincipalKind(Enum):
    """Kinds of principals, as `aws:PrincipalType` names them."""

    ROOT = "Account"
    USER = "User"
    ROLE = "AssumedRole"
    """A session of a role: roles themselves have no credentials."""
    FEDERATED = "Federated"
    """Somebody whom an identity provider vouches for, before a role is assumed; of no account."""
    SERVICE = "AWSService"
    """A service, such as `lambda.amazonaws.com`; of no account but AWS's own."""
    ANONYMOUS = "Anonymous"
    """Somebody who has not said who he is."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who can hold credentials."""

    account_id: str
    unique_id: str
    """Never reused: the account id for root, AIDA… for users, AROA… for roles."""
    arn: str
    """As requests show it: of a role's session, `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; of a service, its
    name."""
    kind: PrincipalKind = PrincipalKind.ROOT
    identity_arn: str = ""
    """Of whom the policies are: the user's, or the role's behind a session; empty for root."""

    def in_partition(self, partition: str) -> Principal:
        """The same principal as a partition writes its ARNs."""
        if self.arn.startswith(f"arn:{partition}:") or self.kind is PrincipalKind.SERVICE:
            return self
        arns = (f"arn:{partition}:{arn.split(':', 2)[2]}" if arn else "" for arn in (self.arn, self.identity_arn))
        arn, identity_arn = arns
        return replace(self, arn=arn, identity_arn=identity_arn)


@dataclass(frozen=True, slots=True)
class Session:
    """What temporary credentials carry, from the call that made them to the registry tokens made with them."""

    issued_at: datetime
    expires_at: datetime
    name: str | None = None
    """RoleSessionName; None in sessions of GetSessionToken, which are their user's."""
    policy: str | None = None
    """The inline session policy, as it was written."""
    policy_arns: tuple[str, ...] = ()
    """Managed session policies; each counts as its default version says at the time of a request."""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str | None = None
    is_chained: bool = False
    """Made with the credentials of another session: sessions made with this one last an hour at most."""
    vouched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Condition keys, in lower case, of what an OpenID Connect provider said of who is in the session."""

    @property
    def is_limited(self) -> bool:
        """Whether session policies limit it."""
        return self.policy is not None or bool(self.policy_arns)


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal in one request, with the credential that proved it."""

    principal: Principal
    access_key_id: str
    epoch: int = 0
    """Access epoch of the caller's account in this request: what was cached at another one is void."""
    session: Session | None = None
    """Of temporary credentials, and of robot tokens."""
    source_arn: str | None = None
    """Of a service: for what it asks; its credential vouches for that."""
    scope: str | None = None
    """Of a robot token: the policy beyond which nothing is allowed."""

    @property
    def account_id(self) -> str:
        """The account that the caller belongs to."""
        return self.principal.account_id

    @property
    def source_account(self) -> str | None:
        """Of a service: for whose sake it asks."""
        return account_of(self.source_arn) if self.source_arn else None

    @property
    def home(self) -> str:
        """The account that is meant where a request names none."""
        return self.source_account or self.account_id

    @property
    def user_id(self) -> str:
        """`aws:userid`: of a role's session, with the session's name."""
        if self.session is None or self.session.name is None:
            return self.principal.unique_id
        return f"{self.principal.unique_id}:{self.session.name}"


NOBODY = Caller(Principal("", "", "", PrincipalKind.ANONYMOUS), "")
"""Who has not said who he is; of no account."""


def root_of(account_id: str, partition: str = "aws") -> Principal:
    """The root user of an account."""
    return Principal(account_id, account_id, f"arn:{partition}:iam::{account_id}:root")


def service_of(name: str, unique_id: str) -> Principal:
    """A service, by one of its credentials; policies know it by name."""
    return Principal(AWS_ACCOUNT, unique_id, name, PrincipalKind.SERVICE)


def federated_of(provider_arn: str) -> Principal:
    """Whom a provider vouches for; policies know him as the provider."""
    return Principal("", provider_arn, provider_arn, PrincipalKind.FEDERATED)


def principal_of(
    account_id: str, unique_id: str, path: str | None, name: str | None, session: Session | None
) -> Principal:
    """Whose a key is: root's, a service's, a user's at `path` and `name`, or a role's with a named session."""
    if unique_id == account_id:
        return root_of(account_id)
    if account_id == AWS_ACCOUNT and name is not None:
        return service_of(name, unique_id)
    if path is None or name is None:
        raise ValueError(unique_id)  # keys go with their user or role
    if session is not None and session.name is not None:
        return role_session_of(account_id, unique_id, path, name, session.name)
    return user_of(account_id, unique_id, path, name)


def user_of(account_id: str, unique_id: str, path: str, name: str) -> Principal:
    """A user; `path` begins and ends with a slash."""
    arn = f"arn:aws:iam::{account_id}:user{path}{name}"
    return Principal(account_id, unique_id, arn, PrincipalKind.USER, arn)


def role_session_of(account_id: str, unique_id: str, path: str, name: str, session_name: str) -> Principal:
    """A session of the role `name`."""
    return Principal(
        account_id,
        unique_id,
        f"arn:aws:sts::{account_id}:assumed-role/{name}/{session_name}",
        PrincipalKind.ROLE,
        f"arn:aws:iam::{account_id}:role{path}{name}",
    )
