"""What no policy allows, by the kind of credentials."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from entrepot.auth.credential_limit import check_credential
from entrepot.domain.iam_error import NeverAllowed, SessionNotAccepted
from entrepot.domain.principal import Caller, Session, role_session_of, root_of, user_of

ACCOUNT = "123456789012"
SESSION = Session(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
CALLERS = {
    "root": Caller(root_of(ACCOUNT), "key"),
    "roots session": Caller(root_of(ACCOUNT), "key", session=SESSION),
    "user": Caller(user_of(ACCOUNT, "AIDA", "/", "mia"), "key"),
    "users session": Caller(user_of(ACCOUNT, "AIDA", "/", "mia"), "key", session=SESSION),
    "roles session": Caller(
        role_session_of(ACCOUNT, "AROA", "/", "ci", "build"), "key", session=replace(SESSION, name="build")
    ),
}
ACTIONS = (
    "sts:AssumeRole",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
    "sts:GetAccessKeyInfo",
    "iam:GetUser",
    "ecr:PutImage",
)
REFUSED: dict[tuple[str, str], type[Exception]] = {
    ("root", "sts:AssumeRole"): NeverAllowed,
    ("roots session", "sts:AssumeRole"): NeverAllowed,
    ("roots session", "sts:GetSessionToken"): NeverAllowed,
    ("roots session", "sts:GetAccessKeyInfo"): NeverAllowed,
    ("roots session", "iam:GetUser"): SessionNotAccepted,
    ("users session", "sts:GetSessionToken"): NeverAllowed,
    ("users session", "sts:GetAccessKeyInfo"): NeverAllowed,
    ("users session", "iam:GetUser"): SessionNotAccepted,
    ("roles session", "sts:GetSessionToken"): NeverAllowed,
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("who", CALLERS)
def test_what_is_refused(who: str, action: str) -> None:
    refusal = REFUSED.get((who, action))
    if refusal is None:
        check_credential(CALLERS[who], action)
    else:
        with pytest.raises(refusal):
            check_credential(CALLERS[who], action)
