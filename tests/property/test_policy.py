"""The policy engine against its plain twin, and against documents that nobody meant."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.evaluate import Policies, RegistryScope, Request, evaluate
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import Grant, Subject
from entrepot.domain.policy.wildcard import pattern_of
from tests.support.policy import ELSEWHERE, HERE, REPOSITORIES, SUBJECTS
from tests.support.policy_twin import Question, decide

_ACTIONS = ["ecr:PutImage", "ecr:BatchGetImage", "ecr:CreateRepository", "ecr:GetAuthorizationToken"]
_RESOURCES = [f"{REPOSITORIES}/app", f"{REPOSITORIES}/team/app", f"{REPOSITORIES}/ana", "*"]
_ROLE, _KEY = f"arn:aws:iam::{HERE}:role/deploy", f"arn:aws:kms:us-east-1:{HERE}:key/1"
_KEYS = ["aws:username", "aws:TagKeys", "a:number", "a:date", "a:ip", "a:arn"]
_TEXTS = [
    "ana",
    "Ana",
    "bob",
    "a*",
    "?n?",
    "*",
    "",
    "${aws:username}",
    "${a:none}",
    "${a:none, 'bob'}",
    "${*}",
    "x${?}",
]
_ARNS = [f"arn:aws:iam::{HERE}:role/ci", "arn:aws:iam::*:role/*", "arn:aws:iam::1*:role/c?", "*", "arn:aws:*:role/ci"]
_ADDRESSES = ["10.1.2.3", "10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32", "0.0.0.0/0"]
_DATES = ["2026-11-24T10:00:00Z", "2026-11-24T10:00:01Z", "1795514400", "0"]
_ORDERS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]


def _lists(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))


def _family(names: list[str], keys: list[str], values: list[Any]) -> st.SearchStrategy[Any]:
    operators = st.tuples(
        st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]),
        st.sampled_from(names),
        st.sampled_from(["", "IfExists"]),
    ).map("".join)
    return st.dictionaries(
        operators, st.dictionaries(st.sampled_from(keys), _lists(values), min_size=1, max_size=2), max_size=1
    )


def _mostly(usual: Any, others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Three times in four what lets the rest of the question matter."""
    return st.integers(0, 3).flatmap(lambda number: others if number == 0 else st.just(usual))


_STRINGS = [
    f"String{name}" for name in ("Equals", "NotEquals", "Like", "NotLike", "EqualsIgnoreCase", "NotEqualsIgnoreCase")
]
_CONDITIONS = st.one_of(
    st.just({}),
    _family(_STRINGS, ["aws:username", "aws:TagKeys", "a:none"], _TEXTS),
    _family([f"Numeric{order}" for order in _ORDERS], ["a:number", "a:none"], [1, 10, "2.50", -3]),
    _family([f"Date{order}" for order in _ORDERS], ["a:date", "a:none"], _DATES),
    _family(["IpAddress", "NotIpAddress"], ["a:ip", "a:none"], _ADDRESSES),
    _family(["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"], ["a:arn", "a:none"], _ARNS),
    _family(["Bool"], ["a:bool", "a:none"], [True, False, "true"]),
    st.fixed_dictionaries({"Null": st.dictionaries(st.sampled_from(_KEYS), _lists([True, False]), max_size=2)}),
)
_CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "aws:username": st.sampled_from([("ana",), ("bob",), ("*",)]),
        "aws:tagkeys": st.lists(st.sampled_from(["ana", "bob", "ANA", "*"]), max_size=3).map(tuple),
        "a:number": st.sampled_from([("1",), ("10.0",), ("2.5",), ("1", "-3")]),
        "a:date": st.sampled_from([("2026-11-24T10:00:00Z",), ("1795514401",)]),
        "a:ip": st.sampled_from([("10.1.2.3",), ("203.0.113.9",), ("2001:db8::1",)]),
        "a:arn": st.sampled_from([(f"arn:aws:iam::{HERE}:role/ci",), (f"arn:aws:iam::{ELSEWHERE}:role/x/y",)]),
        "a:bool": st.sampled_from([("true",), ("false",)]),
    },
)
_NAMES = sorted({name for subject in SUBJECTS.values() for kind, name in subject.names if kind.value == "AWS"})
_AWS = st.one_of(st.just("*"), _lists([*_NAMES, f"arn:aws:iam::{HERE}:root"]))
_OTHERS = st.one_of(
    st.just("*"),
    st.fixed_dictionaries({"AWS": _AWS}),
    st.fixed_dictionaries({"Service": st.sampled_from(["lambda.amazonaws.com", "ec2.amazonaws.com"])}),
    st.fixed_dictionaries({"AWS": _AWS, "Service": st.just("lambda.amazonaws.com")}),
)
_EXCEPTIONS = st.fixed_dictionaries({"AWS": _lists(_NAMES)})


def _principals(subject: Subject) -> st.SearchStrategy[Any]:
    """Mostly one of the names of who asks."""
    mine = [{kind.value: name} for kind, name in subject.names]
    return st.one_of(st.sampled_from([*mine, "*"]), st.sampled_from([*mine, "*"]), _OTHERS)


_ACTION_PATTERNS = ["*", "ecr:*", "ecr:PutImage", "ECR:put*", "ecr:?utImage", "ecr:*Image", "sts:*", "kms:*", "s3:Get*"]
_OURS = ["*", "a*", "*/app", "a??", "${aws:username}", "${a:none, 'ana'}"]
_RESOURCE_PATTERNS = [
    *("*", *_RESOURCES[:3], _ROLE, _KEY),
    *(f"{REPOSITORIES}/{name}" for name in _OURS),
    *("arn:aws:ecr:*:*:repository/*", "arn:aws:ecr", "arn:aws:kms:*", "arn:aws:ecr:${a:none,'us-east-1'}:*:*"),
]


def _documents(kind: Kind, subject: Subject) -> st.SearchStrategy[str]:
    def statement(effect: str, action: str, resource: str, principal: str) -> st.SearchStrategy[dict[str, Any]]:
        members: dict[str, Any] = {"Effect": st.just(effect), "Condition": _mostly({}, _CONDITIONS)}
        patterns = _lists(_ACTION_PATTERNS)
        members[action] = _mostly("*", patterns) if action == "Action" else patterns
        if kind is Kind.TRUST:
            members["Action"] = st.just("sts:*")
        else:
            patterns = _lists(_RESOURCE_PATTERNS)
            members[resource] = _mostly("*", patterns) if resource == "Resource" else patterns
        if kind is not Kind.IDENTITY:
            members[principal] = _principals(subject) if principal == "Principal" else _EXCEPTIONS
        return st.fixed_dictionaries(members)

    statements = st.tuples(
        st.sampled_from(["Allow"] * 9 + ["Deny"]),
        st.sampled_from(["Action"] if kind is Kind.TRUST else ["Action"] * 5 + ["NotAction"]),
        st.sampled_from(["Resource"] * 5 + ["NotResource"]),
        st.sampled_from(["Principal"] * 5 + ["NotPrincipal"]),
    ).flatmap(lambda chosen: statement(*chosen))
    versions = st.just("2012-10-17") if kind is Kind.IDENTITY else st.sampled_from(["2012-10-17", "2008-10-17"])
    documents = st.fixed_dictionaries({"Version": versions, "Statement": st.lists(statements, min_size=1, max_size=2)})
    return documents.map(json.dumps)


_ASKED = {
    Kind.REPOSITORY: st.tuples(st.sampled_from(_ACTIONS), st.sampled_from(_RESOURCES)),
    Kind.TRUST: st.just(("sts:AssumeRole", _ROLE)),
    Kind.KEY: st.just(("kms:Decrypt", _KEY)),
}


@st.composite
def _questions(draw: st.DrawFn) -> tuple[Question, Kind]:
    kind = draw(st.sampled_from([Kind.REPOSITORY, Kind.REPOSITORY, Kind.TRUST, Kind.KEY]))
    action, resource = draw(_ASKED[kind])
    subject = SUBJECTS[draw(st.sampled_from(["ana", "ana", "ci", "ci", *SUBJECTS]))]
    own = _documents(Kind.IDENTITY, subject)
    maybe = st.one_of(st.none(), st.none(), own)
    question = Question(
        subject=subject,
        action=action,
        resource=resource,
        owner=HERE,
        context=draw(_CONTEXTS),
        identity=draw(st.lists(own, max_size=2)),
        boundary=draw(maybe),
        session=draw(maybe),
        of_resource=draw(st.one_of(st.none(), _documents(kind, subject))),
        registry=draw(st.one_of(st.none(), _documents(Kind.REGISTRY, subject))),
        scope=draw(st.sampled_from(["V1", "V2"])),
        endpoint=draw(st.one_of(st.none(), st.none(), _documents(Kind.ENDPOINT, subject))),
        service_control=draw(st.one_of(st.just([]), st.just([]), st.lists(own, max_size=2))),
        key_grant=draw(st.sampled_from([Grant.NONE, Grant.NONE, Grant.ROLE, Grant.DIRECT])),
    )
    return question, kind


@settings(max_examples=300, deadline=None)
@given(_CONDITIONS, _CONTEXTS)
def test_conditions_hold_as_for_the_twin(conditions: dict[str, Any], context: dict[str, tuple[str, ...]]) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": conditions}
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    question = Question(SUBJECTS["ana"], "ecr:PutImage", "*", HERE, context, identity=[text])
    policies = Policies(PolicySet([("", parse_policy(text, Kind.IDENTITY))]))
    request = Request(question.subject, question.action, "*", HERE, context)
    assert evaluate(request, policies).outcome.value == decide(question)


@settings(max_examples=500, deadline=None)
@given(_questions(), st.booleans())
def test_the_engine_decides_as_its_twin(asked: tuple[Question, Kind], has_scope: bool) -> None:
    """The scope of a robot token limits as one more level of service control policies does."""
    question, kind = asked
    own = Kind.IDENTITY
    levels = question.service_control
    scope, levels = (levels[0], levels[1:]) if has_scope and levels else (None, levels)
    policies = Policies(
        identity=PolicySet((str(index), parse_policy(text, own)) for index, text in enumerate(question.identity)),
        boundary=_set(question.boundary, own),
        session=_set(question.session, own),
        resource=_set(question.of_resource, kind),
        registry=_set(question.registry, Kind.REGISTRY),
        registry_scope=RegistryScope(question.scope),
        endpoint=_set(question.endpoint, Kind.ENDPOINT),
        service_control=tuple(PolicySet([("", parse_policy(text, own))]) for text in levels),
        scope=_set(scope, own),
    )
    request = Request(question.subject, question.action, question.resource, HERE, question.context, question.key_grant)
    assert evaluate(request, policies).outcome.value == decide(question)


def _set(text: str | None, kind: Kind) -> PolicySet | None:
    return None if text is None else PolicySet([(kind.name, parse_policy(text, kind))])


_NONSENSE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-9, 9),
        st.floats(allow_nan=False),
        st.text(max_size=8),
        st.sampled_from(_TEXTS + _ARNS),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
_ELEMENTS = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
]
_ODD_VALUES = st.one_of(
    _NONSENSE,
    st.sampled_from(["Allow", "Deny", "*", "ecr:*", REPOSITORIES, {"AWS": "*"}, ["ecr:PutImage"]]),
    st.dictionaries(
        st.sampled_from(
            ["StringLike", "NumericEquals", "DateLessThan", "IpAddress", "Null", "Bool", "BinaryEquals", "ArnLike"]
        ),
        st.dictionaries(st.sampled_from(_KEYS), _NONSENSE, max_size=2),
        max_size=2,
    ),
)
_ODD = st.fixed_dictionaries(
    {"Version": st.sampled_from(["2012-10-17", "2008-10-17", 7])},
    optional={
        "Statement": st.one_of(
            _NONSENSE, st.lists(st.dictionaries(st.sampled_from(_ELEMENTS), _ODD_VALUES), max_size=2)
        ),
    },
)


@settings(max_examples=400, deadline=None)
@given(
    _ODD,
    st.sampled_from(list(Kind)),
    st.dictionaries(st.sampled_from([key.lower() for key in _KEYS]), st.lists(st.text(max_size=9)).map(tuple)),
)
def test_odd_documents_are_refused_or_decided(document: Any, kind: Kind, context: dict[str, tuple[str, ...]]) -> None:
    _read_and_ask(json.dumps(document), kind, context)


@settings(deadline=None)
@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))), st.sampled_from(list(Kind)))
def test_any_text_is_refused_or_decided(text: str, kind: Kind) -> None:
    _read_and_ask(text, kind, {})


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*_ELEMENTS, "x"]), unique=True), st.data(), st.sampled_from(list(Kind)))
def test_statements_of_odd_values_are_refused_or_decided(names: list[str], data: st.DataObject, kind: Kind) -> None:
    good: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    if kind is not Kind.IDENTITY:
        good["Principal"] = "*"
    if kind is not Kind.TRUST:
        good["Resource"] = "*"
    odd = {name: data.draw(_ODD_VALUES, label=name) for name in names[:2]}
    _read_and_ask(json.dumps({"Version": "2012-10-17", "Statement": good | odd}), kind, {})


def _read_and_ask(text: str, kind: Kind, context: dict[str, tuple[str, ...]]) -> None:
    try:
        policy = parse_policy(text, kind)
    except PolicyInvalid as error:
        str(error)  # every fault's sentence can be filled
        return
    policies = PolicySet([("odd", policy)])
    for subject in SUBJECTS.values():
        request = Request(subject, "ecr:PutImage", f"{REPOSITORIES}/app", HERE, context)
        evaluate(request, Policies(policies, resource=policies))


@settings(max_examples=300, deadline=None)
@given(st.text("ab*?", max_size=14), st.text("ab", max_size=24))
def test_patterns_match_as_regular_expressions_do(pattern: str, text: str) -> None:
    expression = pattern.replace("*", ".*").replace("?", ".")
    assert pattern_of(pattern).matches(text) == (re.fullmatch(expression, text) is not None)
