"""The decision tables: every row is decided by the whole engine, from documents as they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.evaluate import Layer, Outcome, Policies, RegistryScope, Request, evaluate
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import Grant
from entrepot.domain.policy.template import Context
from tests.support.policy import HERE, REPOSITORIES, SUBJECTS, policy_set, rows

_ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}
_SILENT = {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}
_VARIABLES = {
    "aws:username": ("ana",),
    "aws:principaltag/team": ("red",),
    "aws:principaltag/star": ("*",),
    "aws:principaltag/colon": ("us-east-1:222222222222",),
    "aws:tagkeys": ("one", "two"),
}


def _cases(name: str) -> list[Any]:
    return [pytest.param(*row, id=" ".join(row)) for row in rows(name)]


def _ask(resource: str, action: str = "ecr:BatchGetImage", who: str = "ana", context: Context | None = None) -> Request:
    return Request(SUBJECTS[who], action, resource, HERE, {**_VARIABLES, **(context or {})})


def test_the_tables_have_300_rows() -> None:
    names = ("action", "resource", "resource_old", "condition", "principal", "layer")
    everything = [(name, *row) for name in names for row in rows(name)]
    assert len(set(everything)) == len(everything) >= 300


@pytest.mark.parametrize(("element", "patterns", "action", "outcome"), _cases("action"))
def test_action(element: str, patterns: str, action: str, outcome: str) -> None:
    identity = policy_set(Kind.IDENTITY, {"Effect": "Allow", element: patterns.split(", "), "Resource": "*"})
    assert evaluate(_ask("*", action), Policies(identity)).outcome.value == outcome


@pytest.mark.parametrize(("element", "version", "patterns", "resource", "outcome"), _cases("resource"))
def test_resource(element: str, version: str, patterns: str, resource: str, outcome: str) -> None:
    texts = [_whole(text) for text in ([patterns] if "'" in patterns else patterns.split(", "))]
    identity = policy_set(Kind.IDENTITY, {"Effect": "Allow", "Action": "*", element: texts}, version=version)
    assert evaluate(_ask(_whole(resource)), Policies(identity)).outcome.value == outcome


@pytest.mark.parametrize(("element", "version", "pattern", "resource", "outcome"), _cases("resource_old"))
def test_resource_of_a_repository_policy(element: str, version: str, pattern: str, resource: str, outcome: str) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", element: _whole(pattern)}
    of_repository = policy_set(Kind.REPOSITORY, statement, version=version)
    assert evaluate(_ask(_whole(resource)), Policies(resource=of_repository)).outcome.value == outcome


@pytest.mark.parametrize(("operator", "wanted", "given", "holds"), _cases("condition"))
def test_condition(operator: str, wanted: str, given: str, holds: str) -> None:
    condition = {operator: {"the:Key": json.loads(wanted)}}
    identity = policy_set(Kind.IDENTITY, {**_ALLOW, "Condition": condition})
    context: Context = {} if given == "-" else {"the:key": tuple(json.loads(given))}
    assert evaluate(_ask("*", context=context), Policies(identity)).is_allowed == (holds == "yes")


@pytest.mark.parametrize(("member", "value", "who", "alone", "denied"), _cases("principal"))
def test_principal(member: str, value: str, who: str, alone: str, denied: str) -> None:
    allow = {"Effect": "Allow", "Action": "*", member: json.loads(value)}
    request = _ask(f"{REPOSITORIES}/app", who=who)
    assert evaluate(request, Policies(resource=policy_set(Kind.REPOSITORY, allow))).outcome.value == alone
    identity = policy_set(Kind.IDENTITY, _ALLOW)
    deny = policy_set(Kind.REPOSITORY, {**allow, "Effect": "Deny"})
    assert evaluate(request, Policies(identity, resource=deny)).outcome.value == denied


_ON = {
    "repo": ("ecr:BatchGetImage", f"{REPOSITORIES}/app", Kind.REPOSITORY),
    "create": ("ecr:CreateRepository", f"{REPOSITORIES}/app", Kind.REPOSITORY),
    "token": ("ecr:GetAuthorizationToken", "*", Kind.REPOSITORY),
    "role": ("sts:AssumeRole", f"arn:aws:iam::{HERE}:role/deploy", Kind.TRUST),
    "webrole": ("sts:AssumeRoleWithWebIdentity", f"arn:aws:iam::{HERE}:role/deploy", Kind.TRUST),
    "key": ("kms:Decrypt", f"arn:aws:kms:us-east-1:{HERE}:key/1234", Kind.KEY),
    "keys": ("kms:ListKeys", "*", Kind.KEY),
}
_LAYER_COLUMNS = "who, on, identity, boundary, session, resource, registry, endpoint, scp, outcome, layer"


@pytest.mark.parametrize(_LAYER_COLUMNS, _cases("layer"))
def test_layer(  # noqa: PLR0913, PLR0917 (the columns of the table)
    who: str,
    on: str,
    identity: str,
    boundary: str,
    session: str,
    resource: str,
    registry: str,
    endpoint: str,
    scp: str,
    outcome: str,
    layer: str,
) -> None:
    action, arn, kind = _ON[on]
    scope, _, says = registry.rpartition(":")
    resource, _, key_grant = resource.partition("+grant:")
    policies = Policies(
        identity=_own(identity) or PolicySet(),
        boundary=_own(boundary),
        session=_own(session),
        resource=_of_resource(resource, who, kind),
        registry=_of_resource(says, who, Kind.REGISTRY),
        registry_scope=RegistryScope(scope or "V2"),
        endpoint=_of_resource({"A": "everybody"}.get(endpoint, endpoint), who, Kind.ENDPOINT),
        service_control=tuple(found for level in scp.split(",") if (found := _own(level))),
    )
    grant = {"": Grant.NONE, "me": Grant.DIRECT, "role": Grant.ROLE}[key_grant]
    decision = evaluate(Request(SUBJECTS[who], action, arn, HERE, {}, grant), policies)
    assert decision.outcome.value == outcome
    assert decision.layer == (None if layer == "-" else Layer[layer])
    _explains_itself(decision.outcome, [match.is_allow for match in decision.decided_by])


def _explains_itself(outcome: Outcome, decided_by: list[bool]) -> None:
    if outcome is Outcome.EXPLICIT_DENY:
        assert decided_by
        assert not any(decided_by)
    elif outcome is Outcome.IMPLICIT_DENY:
        assert decided_by == []
    else:
        assert all(decided_by)


def _whole(text: str) -> str:
    return f"{REPOSITORIES}{text[1:]}" if text.startswith("R/") else text


def _own(cell: str) -> PolicySet | None:
    statements = {".": [], "0": [_SILENT], "A": [_ALLOW], "D": [_DENY], "AD": [_ALLOW, _DENY]}[cell]
    return policy_set(Kind.IDENTITY, *statements) if statements else None


def _of_resource(cell: str, who: str, kind: Kind) -> PolicySet | None:
    if cell == ".":
        return None
    statement: dict[str, Any] = {
        "Effect": "Deny" if cell == "D" else "Allow",
        "Principal": "*" if cell in {"D", "everybody"} else _named(cell.split("+"), who),
        "Action": "sts:*" if kind is Kind.TRUST else "*",
    }
    return policy_set(kind, statement if kind is Kind.TRUST else {**statement, "Resource": "*"})


def _named(cells: list[str], who: str) -> dict[str, list[str]]:
    """Me, my role, my account, everybody or others, as a document names them."""
    principals = dict[str, list[str]]()
    fixed = {
        "0": "333333333333",
        "other": "333333333333",
        "everybody": "*",
        "account": SUBJECTS[who].account_id or HERE,
    }
    for cell in cells:
        wanted = {"me": Grant.DIRECT, "role": Grant.ROLE}.get(cell)
        named = [(kind.value, name) for (kind, name), grant in SUBJECTS[who].names.items() if grant is wanted]
        for kind, name in named or [("AWS", fixed[cell])]:
            principals.setdefault(kind, []).append(name)
    return principals


def test_what_decided_is_named_with_its_source() -> None:
    identity = policy_set(Kind.IDENTITY, {**_ALLOW, "Sid": "Everything"}, _SILENT)
    boundary = policy_set(Kind.IDENTITY, {**_ALLOW, "Sid": "Fence"})
    decision = evaluate(_ask("*"), Policies(identity, boundary=boundary))
    named = [(match.layer, match.entry.source, match.entry.statement.sid) for match in decision.decided_by]
    assert named == [(Layer.IDENTITY, "IDENTITY", "Everything"), (Layer.BOUNDARY, "IDENTITY", "Fence")]
    assert decision.decided_by[0].entry.statement.position == "Statement[0]"


def test_a_deny_is_named_and_the_allow_is_still_seen() -> None:
    deny = {**_DENY, "Sid": "Never", "Action": "ecr:Batch*"}
    decision = evaluate(_ask("*"), Policies(policy_set(Kind.IDENTITY, _ALLOW, deny)))
    assert [match.entry.statement.sid for match in decision.decided_by] == ["Never"]
    assert [match.is_allow for match in decision.matched] == [True, False]


@pytest.mark.parametrize(
    ("context", "is_allowed"),
    [
        ({"aws:sourcearn": (f"arn:aws:lambda:us-east-1:{HERE}:function:f",), "aws:sourceaccount": (HERE,)}, True),
        ({"aws:sourcearn": (f"arn:aws:lambda:us-east-1:{HERE}:function:f",)}, False),
        ({"aws:sourcearn": ("arn:aws:lambda:us-east-1:9:function:f",), "aws:sourceaccount": (HERE,)}, False),
        ({}, False),
    ],
)
def test_a_service_acts_for_the_source_that_the_policy_names(
    context: dict[str, tuple[str, ...]], is_allowed: bool
) -> None:
    guarded = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "ecr:BatchGetImage",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": HERE},
            "ArnLike": {"aws:SourceArn": f"arn:aws:lambda:us-east-1:{HERE}:function:*"},
        },
    }
    request = _ask(f"{REPOSITORIES}/app", who="lambda", context=context)
    assert evaluate(request, Policies(resource=policy_set(Kind.REPOSITORY, guarded))).is_allowed == is_allowed


def test_all_conditions_of_a_statement_must_hold() -> None:
    conditions = {"StringEquals": {"aws:username": "ana", "aws:PrincipalTag/team": "red"}, "Null": {"a:b": "true"}}
    identity = policy_set(Kind.IDENTITY, {**_ALLOW, "Condition": conditions})
    assert evaluate(_ask("*"), Policies(identity)).is_allowed
    assert not evaluate(_ask("*", context={"aws:username": ("bob",)}), Policies(identity)).is_allowed
    assert not evaluate(_ask("*", context={"a:b": ("",)}), Policies(identity)).is_allowed
