"""Principals and callers: who is behind a request.

So far the only principal is the root user of an account; users, roles and sessions join here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who can hold credentials."""

    account_id: str
    unique_id: str
    """Never reused: the account id for root, AIDA… for users, AROA… for roles."""
    arn: str


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal in one request, with the credential that proved it."""

    principal: Principal
    access_key_id: str

    @property
    def account_id(self) -> str:
        """The account that the caller belongs to."""
        return self.principal.account_id


def root_of(account_id: str, partition: str = "aws") -> Principal:
    """The root user of an account."""
    return Principal(account_id, account_id, f"arn:{partition}:iam::{account_id}:root")
