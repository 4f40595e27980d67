"""Managed policies: documents with versions that users, groups and roles share, of an account or of AWS.

Spec: IAM user guide, "Managed policies and inline policies", "Versioning IAM policies"; IAM API, Policy, PolicyVersion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

AWS_ACCOUNT: Final = "aws"
"""What stands in the place of the account in ARNs of AWS's own policies."""

_ARN = re.compile(r"arn:aws:iam::([0-9]{12}|aws):policy(/(?:[!-.0-~]+/)*)([\w+=,.@-]+)", re.ASCII)
_VERSION_ID = re.compile(r"v([1-9][0-9]{0,8})(?:\.[A-Za-z0-9-]*)?")


class PolicyArn(NamedTuple):
    """The ARN of a managed policy taken apart."""

    account_id: str
    """`aws` for AWS's own."""
    path: str
    name: str

    @property
    def is_aws(self) -> bool:
        """Whether it is one of AWS's."""
        return self.account_id == AWS_ACCOUNT

    def __str__(self) -> str:
        return f"arn:aws:iam::{self.account_id}:policy{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a managed policy."""

    number: int
    document: str
    """As it was written."""
    created_at: datetime
    is_default: bool

    @property
    def id(self) -> str:
        """`v1`."""
        return version_id(self.number)


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy without its documents."""

    id: str
    arn: PolicyArn
    description: str | None
    default_version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A managed policy as one account sees it."""

    policy: ManagedPolicy
    attachments: int = 0
    """Users, groups and roles of the account on which it hangs."""
    boundaries: int = 0
    """Users and roles of the account that it bounds."""
    tags: Mapping[str, str] = field(default_factory=dict)


class PolicyUse(Enum):
    """What a list of policies can be narrowed to; the values are IAM's PolicyUsageType."""

    ANY = ""
    PERMISSIONS = "PermissionsPolicy"
    BOUNDARY = "PermissionsBoundary"


@dataclass(frozen=True, slots=True)
class AwsPolicy:
    """A managed policy of AWS: nobody can change it."""

    policy: ManagedPolicy
    versions: tuple[PolicyVersion, ...]
    """Newest first; not all that AWS has had."""

    @property
    def document(self) -> str:
        """The default version's."""
        return next(version.document for version in self.versions if version.is_default)


class AwsPolicies(Mapping[str, AwsPolicy]):
    """AWS's managed policies that this registry knows, by ARN, oldest first as AWS lists them. Immutable."""

    def __init__(self, policies: Iterable[AwsPolicy] = ()) -> None:
        named = {str(policy.policy.arn): policy for policy in policies}
        self._policies = dict(sorted(named.items(), key=lambda item: (item[1].policy.created_at, item[0])))

    def __getitem__(self, arn: str) -> AwsPolicy:
        return self._policies[arn]

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)


def parse_policy_arn(text: str) -> PolicyArn | None:
    """Take the ARN of a managed policy apart; None if it is none."""
    found = _ARN.fullmatch(text)
    return PolicyArn(found[1], found[2], found[3]) if found else None


def version_id(number: int) -> str:
    """What a version is called: `v1`."""
    return f"v{number}"


def parse_version_id(text: str) -> int | None:
    """The number of a version; None if the text is no version's id."""
    found = _VERSION_ID.fullmatch(text)
    return int(found[1]) if found else None
