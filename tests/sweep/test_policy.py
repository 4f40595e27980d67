"""No policy, whatever its patterns, makes a decision slow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.evaluate import Policies, Request, evaluate
from entrepot.domain.policy.template import Context
from tests.support.policy import HERE, REPOSITORIES, SUBJECTS, policy_set

LIMIT_SECONDS = 0.010
LONGEST_PATTERN = 9_900
"""Characters that the rest of a document of the greatest length leaves to one pattern."""

LONGEST_VALUE = 8_000
"""Characters of a header, the longest value that a condition key can have."""

PIECES = ["a", "a*", "*a", "a?", "?a", "aa?", "a?b*", "ab?", "**", "?", "a" * 90 + "*", "a" * 30 + "?", "${*}a*", "é?*"]
ENDS = ["", "b", "*b", "?b*", "*c*"]
TEXTS = ["a", "ab", "axb" + "a" * 300, "aé"]


def hostile(length: int) -> Iterator[str]:
    for piece in PIECES:
        for end in ENDS:
            whole = "*" + piece * (length // len(piece))
            yield whole[: length - len(end)] + end


@pytest.mark.parametrize("piece", TEXTS)
def test_no_text_pattern_takes_long(piece: str) -> None:
    text = (piece * LONGEST_VALUE)[:LONGEST_VALUE]
    for pattern in hostile(LONGEST_PATTERN):
        statement = _allow(Condition={"StringLike": {"aws:UserAgent": pattern}})
        assert _fastest(statement, "*", {"aws:useragent": (text,)}) < LIMIT_SECONDS, pattern[:20]


@pytest.mark.parametrize("piece", TEXTS)
def test_no_resource_pattern_takes_long(piece: str) -> None:
    arn = f"{REPOSITORIES}/" + (piece * 2_048)[:2_048]
    for pattern in hostile(LONGEST_PATTERN):
        for whole in (f"{REPOSITORIES}/{pattern}", f"arn:aws:ecr:{pattern.replace(':', '')}"):
            assert _fastest(_allow(Resource=whole), arn, {}) < LIMIT_SECONDS, pattern[:20]


def test_many_short_patterns_take_no_longer() -> None:
    patterns = [f"*{'a?' * (index % 7)}*{index}" for index in range(600)]
    for statement in (
        _allow(Resource=[f"{REPOSITORIES}/{pattern}" for pattern in patterns[:130]]),
        _allow(Condition={"StringLike": {"aws:UserAgent": patterns[:400]}}),
        _allow(Condition={"NotIpAddress": {"aws:SourceIp": [f"10.0.{n % 256}.0/24" for n in range(500)]}}),
        _allow(Condition={"StringNotLike": {f"aws:PrincipalTag/{n}": "*a?b*" for n in range(200)}}),
    ):
        context: Context = {"aws:useragent": ("a" * LONGEST_VALUE,), "aws:sourceip": ("192.0.2.1",)}
        assert _fastest(statement, f"{REPOSITORIES}/{'a' * 250}", context) < LIMIT_SECONDS


def _allow(**members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **members}


def _fastest(statement: dict[str, Any], arn: str, context: Context) -> float:
    """CPU seconds of the fastest of three decisions."""
    policies = Policies(policy_set(Kind.IDENTITY, statement))
    request = Request(SUBJECTS["ana"], "ecr:PutImage", arn, HERE, context)
    return min(_seconds(request, policies) for _ in range(3))


def _seconds(request: Request, policies: Policies) -> float:
    start = time.process_time()
    evaluate(request, policies)
    return time.process_time() - start
