"""What no policy allows, by the kind of credentials."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from entrepot.auth.credential_limit import check_credential, needs_no_permission
from entrepot.domain.iam_error import NeverAllowed, SessionNotAccepted
from entrepot.domain.principal import Caller, Session, role_session_of, root_of, service_of, user_of

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
    "service": Caller(
        service_of("lambda.amazonaws.com", "key"), "key", source_arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    ),
}
ACTIONS = (
    "sts:AssumeRole",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
    "sts:GetAccessKeyInfo",
    "iam:GetUser",
    "ecr:PutImage",
    "ec2:CreateVpcEndpoint",
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
    ("service", "sts:GetSessionToken"): NeverAllowed,
    ("service", "sts:GetAccessKeyInfo"): NeverAllowed,
    ("service", "iam:GetUser"): NeverAllowed,
    ("service", "ec2:CreateVpcEndpoint"): NeverAllowed,
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


def test_a_service_assumes_roles_of_its_sources_account_only() -> None:
    service = CALLERS["service"]
    check_credential(service, "sts:AssumeRole", [f"arn:aws:iam::{ACCOUNT}:role/r"])
    for other in ("210987654321", "aws", ""):
        with pytest.raises(NeverAllowed):
            check_credential(service, "sts:AssumeRole", [f"arn:aws:iam::{other}:role/r"])


def test_only_a_service_needs_no_permission_for_a_token() -> None:
    needing = {who for who, caller in CALLERS.items() if not needs_no_permission(caller, "ecr:GetAuthorizationToken")}
    assert needing == CALLERS.keys() - {"service"}
    assert not needs_no_permission(CALLERS["service"], "ecr:BatchGetImage")
