"""Principals of policies: who asks, whom a statement names, and in which of his names it grants.

Spec: IAM user guide, "AWS JSON policy elements: Principal", "NotPrincipal". `*` is everybody who has proved who he is,
and only as the whole string. Saved documents may name users and roles by their unique ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Final

from entrepot.domain.policy.identity_name import parse_identity

EVERYBODY: Final = "*"

_ACCOUNT = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root|([0-9]{12})")
_FEDERATED_USER = re.compile(r"arn:[a-z-]+:sts::[0-9]{12}:federated-user/[^*?]+")
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_PROVIDER = re.compile(r"[^\s*?]+")
_CANONICAL_USER = re.compile(r"[0-9a-f]{64}")


class Kind(Enum):
    """Kinds of principals in a document."""

    AWS = "AWS"
    SERVICE = "Service"
    FEDERATED = "Federated"
    CANONICAL_USER = "CanonicalUser"


class Grant(IntFlag):
    """By which of his names a statement meets who asks; by several at once, it may be."""

    NONE = 0
    ACCOUNT = 1
    """His account: its administrators decide."""
    ROLE = 2
    """The role of his session: within boundary and session policy."""
    EVERYBODY = 4
    """`*`."""
    DIRECT = 8
    """His user, his session, his service or provider: nobody else needs to agree."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks, by all of his names."""

    account_id: str | None
    """None for services and for those who have not proved who they are."""
    names: Mapping[tuple[Kind, str], Grant]
    is_root: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody knows who asks."""
        return not self.names


ANONYMOUS: Final = Subject(None, {})


def root(account_id: str) -> Subject:
    """The root user of an account."""
    return Subject(account_id, {(Kind.AWS, account_id): Grant.ACCOUNT}, is_root=True)


def user(account_id: str, arn: str, unique_id: str = "") -> Subject:
    """A user, with a key of its own or in a session of GetSessionToken."""
    return _identity(account_id, {arn: Grant.DIRECT, unique_id: Grant.DIRECT})


def session(account_id: str, arn: str, role_arn: str, role_id: str = "") -> Subject:
    """A session of a role: `arn:aws:sts::…:assumed-role/ROLE/NAME`, where only our own names have slashes."""
    by_id = {role_id: Grant.ROLE, f"{role_id}:{arn.split('/', 2)[2]}": Grant.DIRECT} if role_id else {}
    return _identity(account_id, {arn: Grant.DIRECT, role_arn: Grant.ROLE, **by_id})


def service(name: str) -> Subject:
    """A service, such as `lambda.amazonaws.com`."""
    return Subject(None, {(Kind.SERVICE, name): Grant.DIRECT})


def federated(provider: str) -> Subject:
    """Whom an identity provider vouches for, before a role is assumed."""
    return Subject(None, {(Kind.FEDERATED, provider): Grant.DIRECT})


@dataclass(frozen=True, slots=True)
class Principals:
    """The Principal or NotPrincipal of a statement."""

    names: frozenset[tuple[Kind, str]]
    """Accounts by their 12 digits."""
    is_negated: bool = False

    def grant(self, subject: Subject, *, is_deny: bool) -> Grant:
        """By which names the statement meets who asks.

        Who is not known is met by a Deny for everybody only. NotPrincipal denies unless all that he is (account,
        role, session or user) is excepted, by ARN or by unique id; it allows only if nothing of it is.
        """
        if self.is_negated:
            return self._grant_but_for(subject, is_deny=is_deny)
        met = Grant.NONE
        if self._is_everybody(subject) and (is_deny or not subject.is_anonymous):
            met = Grant.EVERYBODY
        for name, grant in subject.names.items():
            if name in self.names:
                met |= grant
        return met

    def _is_everybody(self, subject: Subject) -> bool:
        return (Kind.AWS, EVERYBODY) in self.names or any((kind, EVERYBODY) in self.names for kind, _ in subject.names)

    def _grant_but_for(self, subject: Subject, *, is_deny: bool) -> Grant:
        excepted = {grant for name, grant in subject.names.items() if name in self.names}
        if is_deny:
            is_met = subject.is_anonymous or excepted != set(subject.names.values())
        else:
            is_met = not subject.is_anonymous and not excepted
        return Grant.EVERYBODY if is_met else Grant.NONE


def parse_name(kind: Kind, text: str) -> tuple[Kind, str] | None:
    """Read one principal of a document; None if it has not the form of its kind."""
    if text == EVERYBODY:
        return None if kind is Kind.CANONICAL_USER else (kind, text)
    if kind is not Kind.AWS:
        form = {Kind.SERVICE: _SERVICE, Kind.FEDERATED: _PROVIDER, Kind.CANONICAL_USER: _CANONICAL_USER}[kind]
        return (kind, text) if form.fullmatch(text) else None
    if account := _ACCOUNT.fullmatch(text):
        return kind, account[1] or account[2]
    return (kind, text) if parse_identity(text) or _FEDERATED_USER.fullmatch(text) else None


def _identity(account_id: str, names: Mapping[str, Grant]) -> Subject:
    kept: Iterable[tuple[str, Grant]] = ((name, grant) for name, grant in names.items() if name)
    return Subject(
        account_id, {(Kind.AWS, account_id): Grant.ACCOUNT} | {(Kind.AWS, name): grant for name, grant in kept}
    )
