"""Misses: which statements are told, in which order and why, and which condition keys matter."""

from __future__ import annotations

from typing import Any

from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.evaluate import Case, Policies, Request, evaluate
from entrepot.domain.policy.explanation import MISSES_SHOWN, explain
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.miss import keys_used, misses
from entrepot.domain.policy.template import Context
from tests.support.policy import HERE, REPOSITORIES, SUBJECTS, policy_set

ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}


def own(*statements: dict[str, Any]) -> PolicySet:
    return policy_set(Kind.IDENTITY, *statements)


def case_of(identity: PolicySet, context: Context) -> Case:
    """Ana pushes, with these policies of hers."""
    request = Request(SUBJECTS["ana"], "ecr:PutImage", f"{REPOSITORIES}/team/app", HERE, context)
    policies = Policies(identity)
    return Case(request, policies, evaluate(request, policies))


def told(*statements: dict[str, Any], context: Context | None = None) -> tuple[list[str], dict[str, Any]]:
    """Lines after the first two about these identity policies, and the condition keys that matter."""
    case = case_of(own(*statements), context or {})
    missed = misses(case)
    lines = [line for line in explain(case, missed) if "would" in line or "more" in line]
    return lines, {use.name: use.values for use in keys_used(case, missed)}


def test_what_a_condition_wants_and_what_the_request_has() -> None:
    team = ALLOW | {"Condition": {"StringEquals": {"aws:PrincipalTag/Team": ["web", "ops"]}}}
    lines, keys = told(team)
    name = "identity-based policy IDENTITY, Statement[0]"
    wanted = '`StringEquals aws:PrincipalTag/Team` "web", "ops"'
    assert lines == [f"  would allow it: {name}, but {wanted} does not hold: the request has no such key"]
    assert keys == {"aws:PrincipalTag/Team": None}
    lines, keys = told(team, context={"aws:principaltag/team": ("hr",)})
    assert lines[0].endswith('does not hold: the request has "hr"')
    assert keys == {"aws:PrincipalTag/Team": ("hr",)}


def test_conditions_that_hold_are_not_told() -> None:
    both = {
        "Bool": {"aws:SecureTransport": "true"},
        "NotIpAddress": {"aws:SourceIp": [f"10.0.{n}.0/24" for n in range(7)]},
    }
    lines, keys = told(
        ALLOW | {"Condition": both}, context={"aws:sourceip": ("10.0.1.1",), "aws:securetransport": ("true",)}
    )
    assert len(lines) == 1
    assert "SecureTransport" not in lines[0]
    assert '"10.0.4.0/24", and 2 more does not hold: the request has "10.0.1.1"' in lines[0]
    assert keys == {"aws:SourceIp": ("10.0.1.1",), "aws:SecureTransport": ("true",)}


def test_the_nearest_come_first_and_not_all_of_them() -> None:
    far = [ALLOW | {"Resource": f"{REPOSITORIES}/other{n}"} for n in range(MISSES_SHOWN + 2)]
    lines, _ = told(*far, ALLOW | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}})
    assert "`Bool aws:SecureTransport`" in lines[0]
    assert lines[1].endswith("Statement[0], but it means other resources")
    assert lines[MISSES_SHOWN:] == ["  and 3 more that do not apply"]


def test_a_deny_that_nearly_applied_is_told_where_it_was_allowed() -> None:
    lines, keys = told(ALLOW, DENY | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    assert lines[0].startswith("  would deny it: identity-based policy IDENTITY, Statement[1], but `Bool")
    assert keys == {"aws:SecureTransport": None}


def test_keys_are_those_that_can_change_the_decision() -> None:
    _, keys = told(
        {"Effect": "Allow", "Action": "*", "Resource": f"{REPOSITORIES}/${{aws:username}}/*"},
        ALLOW | {"Resource": f"{REPOSITORIES}/x/*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        ALLOW | {"Action": "ecr:ListImages", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        DENY | {"Condition": {"StringEquals": {"aws:UserAgent": "${aws:PrincipalTag/agent}"}}},
        context={"aws:username": ("ana",)},
    )
    assert keys == {"aws:username": ("ana",), "aws:UserAgent": None, "aws:principaltag/agent": None}


def test_keys_are_among_those_that_the_sets_know() -> None:
    policies = own(
        ALLOW | {"Condition": {"StringLike": {"aws:UserAgent": "${aws:username}*"}}},
        {"Effect": "Deny", "Action": "ecr:Put*", "NotResource": f"{REPOSITORIES}/${{aws:PrincipalTag/team}}/*"},
    )
    case = case_of(policies, {})
    named = {use.name.lower() for use in keys_used(case, misses(case))}
    assert named == set(policies.keys("ecr:putimage"))
