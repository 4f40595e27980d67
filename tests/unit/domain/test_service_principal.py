"""Which sources a credential of a service vouches for: tricks with patterns, ARNs and headers."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from entrepot.domain.iam_error import SourceNotAccepted
from entrepot.domain.service_principal import (
    ARN_LENGTH_MAX,
    NAME_LENGTH_MAX,
    PATTERNS_MAX,
    ServicePrincipalInvalid,
    check_name,
    check_patterns,
    source_of,
)

LAMBDA = "lambda.amazonaws.com"
PREFIX = "arn:aws:lambda:us-east-1:111122223333:function:"
ONE, ALL = f"{PREFIX}app", f"{PREFIX}*"
ANYWHERE = "arn:aws:lambda:*:*:function:*"


@pytest.mark.parametrize("name", [LAMBDA, "ecs-tasks.amazonaws.com", "lambda.amazonaws.com.cn", "runner.example.org"])
def test_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "lambda",
        "Lambda.amazonaws.com",
        "lambda.amazonaws.com\n",
        "l\u0430mbda.amazonaws.com",
        "*.amazonaws.com",
        "lambda.amazonaws.com:x",
        "a." + "b" * NAME_LENGTH_MAX,
    ],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ServicePrincipalInvalid):
        check_name(name)


@pytest.mark.parametrize("pattern", [ONE, ALL, ANYWHERE, "arn:aws:codebuild:eu-*:11112222????:project/*", f"{ONE}?"])
def test_patterns(pattern: str) -> None:
    check_patterns([pattern])


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "arn:*",
        "arn:aws:lambda",
        "arn:aws:lambda:us-east-1:111122223333",
        "arn:aws:lambda:us-east-1:111122223333:",
        "arn:aws:*:us-east-1:111122223333:function:*",
        "arn:aws:s3:::bucket",
        "arn:aws:lambda:us-east-1:1111:function:*",
        "arn:nowhere:lambda:us-east-1:111122223333:function:*",
        f"{PREFIX}\u00e4*",
        f"{PREFIX}a b",
        f"{PREFIX}a\n",
        PREFIX + "a" * ARN_LENGTH_MAX,
    ],
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ServicePrincipalInvalid):
        check_patterns([pattern])


def test_how_many_patterns() -> None:
    check_patterns([f"{PREFIX}{number}" for number in range(PATTERNS_MAX)])
    for patterns in ([], [f"{PREFIX}{number}" for number in range(PATTERNS_MAX + 1)]):
        with pytest.raises(ServicePrincipalInvalid):
            check_patterns(patterns)


@pytest.mark.parametrize(
    ("patterns", "arn", "account"),
    [
        ([ALL], ONE, None),
        ([ALL], f"{ONE}:live", "111122223333"),
        ([ANYWHERE], "arn:aws:lambda:eu-west-1:444455556666:function:x", "444455556666"),
        (["arn:aws:ecs:us-east-1:111122223333:task/*", ALL], ONE, None),
        ([ONE], ONE, None),
        ([f"{PREFIX}ap?"], ONE, None),
    ],
)
def test_a_source_that_is_named(patterns: Sequence[str], arn: str, account: str | None) -> None:
    assert source_of(LAMBDA, patterns, arn, account) == arn


@pytest.mark.parametrize("account", [None, "111122223333"])
def test_a_credential_for_one_source_need_not_name_it(account: str | None) -> None:
    assert source_of(LAMBDA, [ONE], None, account) == ONE


@pytest.mark.parametrize(
    ("patterns", "arn", "account"),
    [
        ([ALL], None, None),
        ([ALL], None, "111122223333"),
        ([ONE, f"{ONE}2"], None, None),
        ([ALL], "", None),
        ([ALL], "arn:aws:lambda:us-east-1:444455556666:function:app", None),
        ([ALL], ONE, "444455556666"),
        ([ONE], None, "444455556666"),
        ([ALL], "arn:aws:lambda:eu-west-1:111122223333:function:app", None),
        ([ALL], "arn:aws:ecs:us-east-1:111122223333:function:app", None),
        ([ALL], "arn:aws-cn:lambda:us-east-1:111122223333:function:app", None),
        ([ONE], f"{ONE}2", None),
        ([ONE], ONE.upper(), None),
        # what patterns are made of is nothing that a source has
        ([ALL], ALL, None),
        ([ALL], f"{PREFIX}?*", None),
        ([ANYWHERE], ANYWHERE, None),
        ([ANYWHERE], "*", None),
        # fields are what stands between the first five colons
        ([ALL], "arn:aws:lambda:us-east-1:444455556666:111122223333:function:app", None),
        ([ALL], "arn:aws:lambda:us-east-1:444455556666:x:arn:aws:lambda:us-east-1:111122223333:function:app", None),
        ([ANYWHERE], "arn:aws:lambda:us-east-1::111122223333:function:app", None),
        ([ANYWHERE], "arn:aws:lambda:us-east-1:11112222333:function:app", None),
        ([ANYWHERE], "arn:aws:lambda:us-east-1:\u0661\u0661\u0661\u0661222233333:function:app", None),
        ([ANYWHERE], "arn:aws:lambda:us-east-1:111122223333 :function:app", None),
        ([ALL], f"{ONE}\u00e4", None),
        ([ALL], f"{ONE}\udce4", None),
        ([ALL], f"{ONE} ", None),
        ([ALL], f"{ONE}\n", None),
        ([ALL], f"{ONE}\x00", None),
        ([ALL], f"{PREFIX}{'a' * ARN_LENGTH_MAX}", None),
        ([ALL], ONE, "111122223333,444455556666"),
        ([ALL], ONE, ""),
    ],
)
def test_a_source_that_is_refused(patterns: Sequence[str], arn: str | None, account: str | None) -> None:
    with pytest.raises(SourceNotAccepted):
        source_of(LAMBDA, patterns, arn, account)


def test_what_looks_like_a_variable_is_text() -> None:
    with pytest.raises(SourceNotAccepted):
        source_of(LAMBDA, [f"{PREFIX}${{*}}*"], f"{PREFIX}*x", None)
    arn = f"{PREFIX}${{aws:username}}"
    assert source_of(LAMBDA, [arn], arn, None) == arn


def test_no_pattern_takes_long() -> None:
    room = ARN_LENGTH_MAX - len(PREFIX)
    pattern, arn = PREFIX + "*a" * (room // 2), PREFIX + "a" * (room // 2) + "b"
    check_patterns([pattern])
    began = time.process_time()
    with pytest.raises(SourceNotAccepted):
        source_of(LAMBDA, [pattern] * PATTERNS_MAX, arn, None)
    assert time.process_time() - began < 1
