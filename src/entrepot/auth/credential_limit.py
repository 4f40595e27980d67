"""Limits of credentials: what no policy allows to root, or to who is in a session.

Spec: STS API, AssumeRole, GetSessionToken: "Permissions"; IAM user guide, "Compare AWS STS credentials".
"""

from __future__ import annotations

from typing import Final

from entrepot.domain.iam_error import NeverAllowed, SessionNotAccepted
from entrepot.domain.principal import Caller, PrincipalKind
from entrepot.domain.role_session import is_of_role

_OF_USERS_SESSIONS: Final = frozenset({"sts:AssumeRole", "sts:GetCallerIdentity"})
"""What of STS a session of GetSessionToken may ask for."""


def check_credential(caller: Caller, action: str) -> None:
    """Refuse what a caller may not do with these credentials, whatever policies say.

    Raises:
        NeverAllowed: root assumes a role, or a session makes another of its own user.
        SessionNotAccepted: a session of GetSessionToken, which knows no second factor, calls IAM.
    """
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
