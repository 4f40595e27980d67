"""Limits of credentials: what no policy allows to root, or to who is in a session.

Spec: STS API, AssumeRole, GetSessionToken: "Permissions"; IAM user guide, "Compare AWS STS credentials".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from entrepot.domain.arn import account_of
from entrepot.domain.iam_error import NeverAllowed, SessionNotAccepted
from entrepot.domain.principal import Caller, PrincipalKind
from entrepot.domain.role_session import is_of_role

_OF_USERS_SESSIONS: Final = frozenset({"sts:AssumeRole", "sts:GetCallerIdentity"})
"""What of STS a session of GetSessionToken may ask for."""


_OF_SERVICES: Final = frozenset({"sts:AssumeRole", "sts:GetCallerIdentity", "sts:SetSourceIdentity", "sts:TagSession"})
"""What a service may ask for beside that which policies of repositories, registries and keys grant it."""


def needs_no_permission(caller: Caller, action: str) -> bool:
    """Whether a caller may do something though no policy could allow it: a service's token says only who it is."""
    return caller.principal.kind is PrincipalKind.SERVICE and action == "ecr:GetAuthorizationToken"


def check_credential(caller: Caller, action: str, arns: Iterable[str] = ()) -> None:
    """Refuse what a caller may not do with these credentials, on one of these resources, whatever policies say.

    Raises:
        NeverAllowed: root assumes a role, or a session makes another of its own user.
        NeverAllowed: a service does what no resource's policy could let it do, or assumes a role of another account
            than that for which it asks: nobody can pass a role to a service across accounts.
        SessionNotAccepted: a session of GetSessionToken, which knows no second factor, calls IAM.
    """
    if caller.principal.kind is PrincipalKind.SERVICE:
        _check_service(caller, action, arns)
    if action == "sts:AssumeRole" and caller.principal.kind is PrincipalKind.ROOT:
        raise NeverAllowed("Roles may not be assumed by root accounts.")
    if caller.session is None:
        return
    if action == "sts:GetSessionToken":
        raise NeverAllowed("Cannot call GetSessionToken with session credentials")
    if is_of_role(caller.session):
        return
    if action.startswith("iam:"):
        raise SessionNotAccepted
    if action.startswith("sts:") and action not in _OF_USERS_SESSIONS:
        raise NeverAllowed(f"Cannot call {action.partition(':')[2]} with session credentials")


def _check_service(caller: Caller, action: str, arns: Iterable[str]) -> None:
    if not action.startswith(("ecr:", "kms:")) and action not in _OF_SERVICES:
        raise NeverAllowed(f"The service {caller.principal.arn} cannot call {action}")
    if action == "sts:AssumeRole" and any(account_of(arn) != caller.source_account for arn in arns):
        raise NeverAllowed(
            f"The service {caller.principal.arn} cannot assume a role of another account than its source's"
        )
