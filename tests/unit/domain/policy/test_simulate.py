"""Simulations: decisions with the statements and keys that explain them."""

from __future__ import annotations

import pytest

from entrepot.domain.policy.evaluate import Outcome
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.principal import user
from entrepot.domain.policy.simulate import Scene, Simulator, Source, SourceType
from tests.support.iam_rows import document

ACCOUNT = "111111111111"
ARN = f"arn:aws:iam::{ACCOUNT}:user/mia"
SUBJECT = user(ACCOUNT, ARN)


def source(name: str, text: str) -> Source:
    return Source(name, SourceType.NONE, text)


def test_what_decides_is_named_with_its_place() -> None:
    texts = [document("ecr:*"), document("ecr:Put*", "Deny"), document("s3:*")]
    simulator = Simulator(Scene(SUBJECT, [source(str(number), text) for number, text in enumerate(texts)]))

    allowed, denied, silent = [
        simulator.ask(action, "*", ACCOUNT) for action in ("ecr:ListImages", "ECR:PutImage", "kms:Decrypt")
    ]

    assert [one.outcome for one in (allowed, denied, silent)] == list(Outcome)
    assert [[matched.source.id for matched in one.matched] for one in (allowed, denied, silent)] == [["0"], ["1"], []]
    ((_, span),) = allowed.matched
    assert (texts[0][span.start.column - 2], texts[0][span.end.column - 2]) == ("{", "}")
    assert (allowed.is_within_boundary, allowed.is_within_organization) == (None, None)


def test_limits_are_told_by_themselves() -> None:
    boundary, level = source("fence", document("ecr:List*")), [source("scp", document("*"))]
    scene = Scene(SUBJECT, [source("a", document("ecr:*"))], boundary, service_control=[level, level])
    within, without = [Simulator(scene).ask(action, "*", ACCOUNT) for action in ("ecr:ListImages", "ecr:PutImage")]

    assert (within.outcome, within.is_within_boundary, within.is_within_organization) == (Outcome.ALLOWED, True, True)
    assert [matched.source.id for matched in within.matched] == ["a"]
    assert (without.outcome, without.is_within_boundary) == (Outcome.IMPLICIT_DENY, False)
    closed = Simulator(Scene(SUBJECT, scene.identity, service_control=[level, []])).ask("ecr:ListImages", "*", ACCOUNT)
    assert (closed.outcome, closed.is_within_organization) == (Outcome.IMPLICIT_DENY, False)


def test_missing_keys_are_those_of_statements_about_the_action() -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/Team": "${aws:username}", "aws:SourceVpc": "v"}}
    texts = [document("ecr:*", Condition=condition), document("s3:*", Condition={"Null": {"aws:userid": "true"}})]
    scene = Scene(
        SUBJECT, [source("a", text) for text in texts], context={"aws:username": ("mia",), "aws:sourcevpc": ("v",)}
    )
    assert Simulator(scene).ask("ecr:PutImage", "*", ACCOUNT).missing == ("aws:PrincipalTag/Team",)
    given = Scene(SUBJECT, scene.identity, context={**scene.context, "aws:principaltag/team": ("mia",)})
    assert Simulator(given).ask("ecr:PutImage", "*", ACCOUNT).outcome is Outcome.ALLOWED


def test_the_policy_of_the_resource() -> None:
    resource = Source("r", SourceType.RESOURCE, document("ecr:*", Principal={"AWS": ARN}))
    own, foreign = [
        Simulator(Scene(SUBJECT, [], None, resource)).ask("ecr:PutImage", "*", account)
        for account in (ACCOUNT, "2" * 12)
    ]

    assert (own.outcome, own.matched[0].source) == (Outcome.ALLOWED, resource)
    assert foreign.outcome is Outcome.IMPLICIT_DENY


def test_documents_that_are_none() -> None:
    with pytest.raises(PolicyInvalid):
        Simulator(Scene(SUBJECT, [source("a", "{}")]))
