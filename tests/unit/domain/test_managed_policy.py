"""ARNs, versions and the mapping of AWS's policies."""

from __future__ import annotations

import pytest

from entrepot.domain.managed_policy import parse_policy_arn, parse_version_id


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("arn:aws:iam::aws:policy/AdministratorAccess", ("aws", "/", "AdministratorAccess")),
        ("arn:aws:iam::123456789012:policy/team/web/p_1+=,.@-", ("123456789012", "/team/web/", "p_1+=,.@-")),
        ("arn:aws:iam::123456789012:policy//x", None),
        ("arn:aws:iam::123456789012:policy/", None),
        ("arn:aws:iam::123456789012:policy/a b", None),
        ("arn:aws:iam::123456789012:policy/é", None),
        ("arn:aws:iam::12:policy/a", None),
        ("arn:aws:iam::123456789012:user/a", None),
        ("arn:aws:s3:::b", None),
        ("", None),
    ],
)
def test_arns(text: str, parts: tuple[str, str, str] | None) -> None:
    found = parse_policy_arn(text)
    assert (None if found is None else tuple(found)) == parts
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    ("text", "number"), [("v1", 1), ("v12", 12), ("v0", None), ("1", None), ("v01", None), ("v1.a-b", 1), ("", None)]
)
def test_versions(text: str, number: int | None) -> None:
    assert parse_version_id(text) == number
