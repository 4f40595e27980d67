"""Robot tokens: the form of their passwords, and their scope as a policy."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from entrepot.domain.error import InvalidParameter, TokenInvalid
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.registry import Registry
from entrepot.domain.robot_token import (
    NewRobotToken,
    RobotScope,
    new_password,
    password_hash,
    read_password,
    robot_arn,
    robot_identity,
)

HOME = Registry("123456789012", "us-east-1")
ID = "ABCDEFGHIJKLMNOP"
PASSWORD = new_password(ID, bytes(range(30)))
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_the_password_of_the_design_page() -> None:
    assert PASSWORD == "entr_ABCDEFGHIJKLMNOPAAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5YHIRFPI"
    assert re.fullmatch(r"entr_[A-Z2-7]{71}", PASSWORD)
    assert read_password(PASSWORD) == ID
    assert len(password_hash(PASSWORD)) == 32


@pytest.mark.parametrize("place", range(len(PASSWORD)))
def test_every_mistyped_character_is_noticed(place: int) -> None:
    other = "B" if PASSWORD[place] != "B" else "C"
    with pytest.raises(TokenInvalid):
        read_password(PASSWORD[:place] + other + PASSWORD[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "entr_", PASSWORD[:-1], PASSWORD + "A", PASSWORD + "\n", PASSWORD.lower(), "e1.a"]
)
def test_other_texts_are_no_passwords(text: str) -> None:
    with pytest.raises(TokenInvalid):
        read_password(text)


def test_a_scope_as_a_policy() -> None:
    scope = RobotScope.parse(["team/*", "base", "team/*"], ["PULL", "PUSH", "PULL"], ["10.0.0.0/8", "::1", "::1"])
    assert RobotScope.read(scope.write()) == scope
    (statement,) = json.loads(scope.policy(HOME))["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:ListImages",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ],
        "Resource": [HOME.repository_arn("team/*"), HOME.repository_arn("base")],
        "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]}},
    }
    parse_policy(scope.policy(HOME), Kind.IDENTITY)
    assert "Condition" not in RobotScope.parse(["a*"], ["PULL"]).policy(HOME)


@pytest.mark.parametrize(
    ("text", "hint"),
    [("10.0.0.1/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32"), ("10.0.0", ""), ("x", ""), ("10.0.0.0/33", "")],
)
def test_what_is_no_network(text: str, hint: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        RobotScope.parse(["a"], ["PULL"], ["10.0.0.0/8", text])
    assert caught.value.field == "addresses.2.member"
    assert hint in caught.value.detail


def test_names_of_other_partitions() -> None:
    china = Registry("123456789012", "cn-north-1")
    assert robot_arn(china, "ci") == "arn:aws-cn:entrepot:cn-north-1:123456789012:robot-token/ci"
    token = NewRobotToken(china, "ci", "arn:aws-cn:iam::123456789012:role/ops/build", RobotScope.parse(["a"], ["PULL"]))
    acts_as = robot_identity(token, ("AROAX", "/ops/", "build"), NOW)
    assert acts_as.principal.arn == "arn:aws-cn:sts::123456789012:assumed-role/build/robot/ci"
    assert acts_as.principal.identity_arn == "arn:aws-cn:iam::123456789012:role/ops/build"
    assert acts_as.session.issued_at == NOW
    assert acts_as.session.expires_at > datetime(9999, 1, 1, tzinfo=UTC)
