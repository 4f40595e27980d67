"""ARNs of IAM."""

from __future__ import annotations

import pytest

from entrepot.domain.iam import RoleArn, parse_role_arn
from entrepot.domain.iam_error import ValidationFailed


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        ("arn:aws:iam::123456789012:role/deploy", RoleArn("123456789012", "/", "deploy")),
        ("arn:aws-cn:iam::123456789012:role/a/b/de+=,.@-_", RoleArn("123456789012", "/a/b/", "de+=,.@-_")),
    ],
)
def test_arns_of_roles(text: str, arn: RoleArn) -> None:
    assert parse_role_arn(text) == arn


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", " is invalid"),
        ("arn:aws:iam::123456789012", "arn:aws:iam::123456789012 is invalid"),
        ("arn:aws:iam::123456789012:role/", "Request ARN is invalid"),
        ("arn:aws:iam::123456789012:role//x", "Request ARN is invalid"),
        ("arn:aws:iam::123456789012:roles/x", "Request ARN is invalid"),
        ("arn:aws:iam::12345678901:role/x", "Request ARN is invalid"),
        ("arn:aws:iam:us-east-1:123456789012:role/x", "Request ARN is invalid"),
        ("arn:aws:sts::123456789012:assumed-role/x/y", "Request ARN is invalid"),
        ("arn:aws:iam::123456789012:role/é", "Request ARN is invalid"),
        ("arn:aws:iam::123456789012:role/x\n", "Request ARN is invalid"),
    ],
)
def test_what_is_no_role(text: str, sentence: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_role_arn(text)
    assert refused.value.detail == sentence
