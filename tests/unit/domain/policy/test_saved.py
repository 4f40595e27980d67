"""Saved policies: whom they name, by unique id when decided with, by name when shown."""

from __future__ import annotations

import json

import pytest

from entrepot.domain.policy.action import REGISTRY_ACTIONS, REGISTRY_V1_ACTIONS, REPOSITORY_ACTIONS
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import Grant, session, user
from entrepot.domain.policy.saved import (
    PrincipalNotFound,
    check_actions,
    named_identities,
    with_names,
    with_unique_ids,
)
from tests.support.policy import HERE, text_of

_ANA = f"arn:aws:iam::{HERE}:user/team/ana"
_BUILD = f"arn:aws:iam::{HERE}:role/build"
_ID = "AIDAANAANAANAANA"


def _statement(principal: object, member: str = "Principal") -> dict[str, object]:
    return {"Effect": "Allow", member: principal, "Action": "ecr:BatchGetImage"}


def _document(*principals: object) -> str:
    return text_of(*map(_statement, principals))


def test_only_users_and_roles_are_looked_up() -> None:
    document = text_of(
        _statement("*"),
        _statement({"AWS": [_ANA, HERE, f"arn:aws:iam::{HERE}:root", f"arn:aws:sts::{HERE}:assumed-role/build/ci"]}),
        _statement({"AWS": [_BUILD, _ID, "*"], "Service": "lambda.amazonaws.com"}),
        _statement({"Federated": f"arn:aws:iam::{HERE}:saml-provider/x"}),
        _statement({"AWS": f"arn:aws:iam::{HERE}:user/excepted"}, "NotPrincipal"),
    )
    assert list(named_identities(parse_policy(document, Kind.REPOSITORY))) == [
        _ID,
        _BUILD,
        f"arn:aws:iam::{HERE}:user/excepted",
        _ANA,
        f"arn:aws:sts::{HERE}:assumed-role/build/ci",
    ]


@pytest.mark.parametrize("member", ["Principal", "NotPrincipal"])
def test_who_is_made_again_under_the_same_name_is_another(member: str) -> None:
    policy = parse_policy(text_of(_statement({"AWS": _ANA}, member)), Kind.REPOSITORY)
    (entry,) = PolicySet([("saved", with_unique_ids(policy, {_ANA: _ID}))]).entries
    principals = entry.statement.principals
    assert principals
    granted = Grant.NONE if member == "NotPrincipal" else Grant.DIRECT
    assert principals.grant(user(HERE, _ANA, _ID), is_deny=False) == granted
    assert principals.grant(user(HERE, _ANA, "AIDAANOTHERANOTH"), is_deny=False) != granted


def test_the_session_of_a_role_that_is_made_again_is_another() -> None:
    build, ci = "AROABUILDBUILDBU", f"arn:aws:sts::{HERE}:assumed-role/build/ci"
    policy = parse_policy(text_of(_statement({"AWS": ci})), Kind.REPOSITORY)
    (entry,) = PolicySet([("saved", with_unique_ids(policy, {ci: f"{build}:ci"}))]).entries
    principals = entry.statement.principals
    assert principals
    for arn, role_id, granted in (
        (ci, build, Grant.DIRECT),
        (ci, "AROAOTHEROTHEROT", Grant.NONE),
        (ci.replace("/ci", "/cd"), build, Grant.NONE),
    ):
        assert principals.grant(session(HERE, arn, _BUILD, role_id), is_deny=False) == granted


def test_a_document_without_news_is_shown_as_it_was_written() -> None:
    document = ' {"Version":"2012-10-17",\n"Statement": ' + json.dumps(_statement({"AWS": _ANA})) + "}"
    assert with_names(document, {_ANA: _ANA}) == document


def test_new_names_stand_wherever_the_old_ones_stood_and_nothing_else_changes() -> None:
    other = f"arn:aws:iam::{HERE}:user/other"
    written = _statement({"Service": _ANA, "AWS": [_ANA, HERE, _ANA]}) | {
        "Sid": _ANA,
        "Condition": {"ArnEquals": {"aws:PrincipalArn": _ANA}},
    }
    shown = json.loads(with_names(text_of(written, _statement({"AWS": _ANA}, "NotPrincipal")), {_ANA: other}))
    assert shown["Statement"] == [
        written | {"Principal": {"Service": _ANA, "AWS": [other, HERE, other]}},
        _statement({"AWS": other}, "NotPrincipal"),
    ]
    single = json.dumps({"Version": "2012-10-17", "Statement": _statement("*")})
    assert json.loads(with_names(single, {_ANA: other})) == json.loads(single)


def test_iam_has_a_sentence_for_a_principal_that_does_not_exist() -> None:
    assert PrincipalNotFound(_ANA).sentence == f'Invalid principal in policy: "AWS":"{_ANA}"'


@pytest.mark.parametrize(
    ("decided", "action"),
    [
        (REPOSITORY_ACTIONS, "ecr:BatchGetImage"),
        (REPOSITORY_ACTIONS, "ECR:batchgetimage"),
        (REPOSITORY_ACTIONS, "ecr:Get*"),
        (REPOSITORY_ACTIONS, "*"),
        (REPOSITORY_ACTIONS, "ecr:ReplicateImage"),
        (REGISTRY_ACTIONS, "ecr:PutRegistryPolicy"),
        (REGISTRY_V1_ACTIONS, "ecr:CreateRepository"),
        (REGISTRY_V1_ACTIONS, "ecr:*"),
    ],
)
def test_actions_that_a_policy_can_speak_of(decided: frozenset[str], action: str) -> None:
    check_actions(parse_policy(text_of(_statement("*") | {"Action": action}), Kind.REPOSITORY), decided)


@pytest.mark.parametrize(
    ("decided", "action"),
    [
        (REPOSITORY_ACTIONS, "ecr:GetAuthorizationToken"),
        (REPOSITORY_ACTIONS, "ecr:GetAuth*"),
        (REPOSITORY_ACTIONS, "ecr:PutRegistryPolicy"),
        (REPOSITORY_ACTIONS, "ecr:BatchGetImages"),
        (REPOSITORY_ACTIONS, "s3:GetObject"),
        (REPOSITORY_ACTIONS, "ecr-public:PutImage"),
        (REGISTRY_ACTIONS, "ecr:GetAuthorizationToken"),
        (REGISTRY_V1_ACTIONS, "ecr:DescribeRepositories"),
    ],
)
def test_actions_that_a_policy_cannot_speak_of(decided: frozenset[str], action: str) -> None:
    policy = parse_policy(text_of(_statement("*") | {"Action": ["ecr:*", action]}), Kind.REPOSITORY)
    with pytest.raises(PolicyInvalid) as caught:
        check_actions(policy, decided)
    assert (caught.value.fault, caught.value.position) == (Fault.FOREIGN_ACTION, "Statement[0].Action[1]")


def test_all_but_some_actions_may_name_any() -> None:
    statement = {"Effect": "Deny", "Principal": "*", "NotAction": "s3:GetObject"}
    check_actions(parse_policy(text_of(statement), Kind.REPOSITORY), REPOSITORY_ACTIONS)
