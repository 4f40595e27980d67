"""Context keys of documents, as they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entrepot.domain.policy.context_key import context_keys, keys_by_statement


def text(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


STATEMENT = {
    "Effect": "Allow",
    "Action": "dynamodb:${aws:not-here}",
    "Resource": ["arn:aws:s3:::${aws:username}/${*}/${ aws:PrincipalTag/Team , 'none' }", "*"],
    "Condition": {
        "DateGreaterThan": {"aws:CurrentTime": "2015-08-16T12:00:00Z"},
        "StringEquals": {"AWS:UserName": "${aws:PrincipalTag/team}", "ecr:ResourceTag/Env": ["a", True]},
    },
}


def test_variables_come_first_and_each_key_once() -> None:
    assert context_keys(text(STATEMENT, STATEMENT)) == [
        "aws:username",
        "aws:PrincipalTag/Team",
        "aws:CurrentTime",
        "ecr:ResourceTag/Env",
    ]


def test_by_statement() -> None:
    assert keys_by_statement(text({"NotResource": "${aws:userid}"}, {})) == [["aws:userid"], []]


def test_the_older_version_has_no_variables() -> None:
    assert context_keys(text(STATEMENT, version="2008-10-17")) == [
        "aws:CurrentTime",
        "AWS:UserName",
        "ecr:ResourceTag/Env",
    ]


@pytest.mark.parametrize("resource", ["${", "${}", "$", "${aws:username", "a${$}b"])
def test_what_is_no_variable(resource: str) -> None:
    assert context_keys(json.dumps({"Version": "2012-10-17", "Statement": {"Resource": resource}})) == []
