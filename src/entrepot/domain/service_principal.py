"""Service principals: credentials of a service such as `lambda.amazonaws.com`, and for what each can ask.

Every request of a service is made for one thing in one account, its source: the function whose image is fetched, the
task that is started. A credential has patterns of the sources that it can name, so that whoever holds it cannot name
others (the confused deputy with a forged source).

Spec: IAM user guide, "AWS global condition context keys": aws:SourceArn, aws:SourceAccount; "The confused deputy
problem".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from entrepot.domain.arn import account_of
from entrepot.domain.iam_error import SourceNotAccepted
from entrepot.domain.identity import KeyUse, OperatorError
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.principal import Kind, parse_name
from entrepot.domain.policy.resource import PARTITIONS, ArnPattern, check_resource
from entrepot.domain.robot_token import TRUSTED_SERVICE

ARN_LENGTH_MAX: Final = 2_048
"""Characters of a source ARN, and of a pattern."""
NAME_LENGTH_MAX: Final = 128
"""Characters of the name of a service."""
PATTERNS_MAX: Final = 20
"""Patterns of one credential."""

_WILD: Final = frozenset("*?")
_SOURCE = re.compile(r"arn:([a-z-]+):[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:[!-)+->@-~]+")
"""An ARN in an account, without wildcards."""
_PATTERN = re.compile(r"arn:[a-z*?-]+:[a-z0-9-]+:[a-z0-9*?-]*:(?:[0-9]{12}|[0-9]*[*?][0-9*?]*):[!-~]+")


class ServicePrincipalInvalid(OperatorError):
    """A name or a pattern that cannot be one."""


class ServicePrincipalNotFound(OperatorError):
    """No credential of that id, or of a service of that name."""

    def __init__(self, which: str) -> None:
        super().__init__(f"there is no service principal {which}: `entrepot admin service-principal list` shows them")
        self.which = which


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """A credential of a service."""

    access_key_id: str
    name: str
    source_arns: tuple[str, ...]
    """Patterns, as in policies: wildcards stay within one of the six fields of an ARN, the last takes all the rest."""
    created_at: datetime
    used: KeyUse | None = None
    """What it last signed."""


def is_name(text: str) -> bool:
    """Whether policies could name a service so."""
    return len(text) <= NAME_LENGTH_MAX and text != "*" and parse_name(Kind.SERVICE, text) is not None


def check_name(name: str) -> None:
    """Check the name of a service.

    Raises:
        ServicePrincipalInvalid: policies could not name it, or it is the server's own.
    """
    if name == TRUSTED_SERVICE:
        raise ServicePrincipalInvalid(f"{name} is this server itself: roles that trust it are for robot tokens")
    if not is_name(name):
        raise ServicePrincipalInvalid(
            f"{name[:NAME_LENGTH_MAX]} is no name of a service: lower case, with dots, such as lambda.amazonaws.com"
        )


def check_patterns(patterns: Sequence[str]) -> None:
    """Check the patterns of a credential.

    Raises:
        ServicePrincipalInvalid: none, too many, or one that is no pattern of ARNs of things in accounts.
    """
    if not 1 <= len(patterns) <= PATTERNS_MAX:
        raise ServicePrincipalInvalid(f"a service principal has 1 to {PATTERNS_MAX} patterns of source ARNs")
    for pattern in patterns:
        if not _is_pattern(pattern):
            raise ServicePrincipalInvalid(
                f"{pattern[:ARN_LENGTH_MAX]} is no pattern of source ARNs: it has six fields, the account not empty, "
                "such as arn:aws:lambda:us-east-1:111122223333:function:*"
            )


def is_source(arn: str) -> bool:
    """Whether a text is the ARN of something in an account, with nothing in it that patterns could mean."""
    found = _SOURCE.fullmatch(arn) if len(arn) <= ARN_LENGTH_MAX else None
    return found is not None and found[1] in PARTITIONS


def vouches(patterns: Sequence[str], arn: str) -> bool:
    """Whether one of the patterns means a source."""
    return any(_compiled(pattern).matches(arn, {}) for pattern in patterns)


def source_of(service: str, patterns: Sequence[str], arn: str | None, account: str | None) -> str:
    """The source of a request that names `arn` and `account`, or neither, which a credential for one source need not.

    Raises:
        SourceNotAccepted: none is named and there are several, or it is malformed, or the credential is not for it.
    """
    if arn is None and len(patterns) == 1 and _WILD.isdisjoint(patterns[0]):
        arn = patterns[0]
    if arn is None:
        raise SourceNotAccepted(service, "the request names no source ARN in the header x-amz-source-arn")
    if not is_source(arn):
        raise SourceNotAccepted(service, "x-amz-source-arn is not the ARN of a resource in an account")
    if not vouches(patterns, arn):
        raise SourceNotAccepted(service, f"these credentials are not for the source ARN {arn}")
    if account is not None and account != account_of(arn):
        raise SourceNotAccepted(service, "x-amz-source-account is not the account of the source ARN")
    return arn


def _is_pattern(text: str) -> bool:
    if len(text) > ARN_LENGTH_MAX or not _PATTERN.fullmatch(text):
        return False
    try:
        check_resource(text, "", is_iam=False)
    except PolicyInvalid:
        return False
    return not _WILD.isdisjoint(text) or is_source(text)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> ArnPattern:
    return ArnPattern(pattern, variables=False)
