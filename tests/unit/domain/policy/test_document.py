"""What a document may say, and IAM's sentences, in IAM's order, for what it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.statement import Version
from tests.support.policy import text_of

_GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"}
_TRUST = {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}
_REPOSITORY = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}


def _without(name: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in _GOOD.items() if key != name} | more


def _fault(text: str, kind: Kind = Kind.IDENTITY) -> PolicyInvalid:
    with pytest.raises(PolicyInvalid) as caught:
        parse_policy(text, kind)
    return caught.value


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("This is not a json document", "line 1 column 1"),
        ('{"Version": "2012-10-17",\n "Statement": [}', "line 2 column 16"),
        ("[]", "not a JSON object"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}', "Invalid JSON syntax"),
        ("[" * 200_00, "nested deeper than 64 levels"),
        ('{"Version": "2012-10-17"}', "Statement"),
        ('{"Version": "2012-10-17", "Statement": []}', "Statement"),
        ('{"Version": "2012-10-17", "Statement": ["afd"]}', "Statement[0]"),
        ('{"Version": "2012-10-17", "Statement": "afd"}', "Statement"),
        ('{"Version": "2013-10-17", "Statement": []}', "Version"),
        ('{"Version": ["2012-10-17"], "Statement": []}', "Version"),
        ('{"Version": "2012-10-17", "Id": ["a"], "Statement": []}', "Id"),
        ('{"Version": "2012-10-17", "Extra": 1, "Statement": []}', "Extra"),
    ],
)
def test_broken_documents(text: str, position: str) -> None:
    error = _fault(text, Kind.KEY)
    assert error.fault is Fault.SYNTAX
    assert error.position == position
    assert error.sentence == "Syntax errors in policy."


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"Extra field": "value"}, ".Extra field"),
        ({"Effect": "invalid"}, ".Effect"),
        ({"Effect": None}, ".Effect"),
        ({"Effect": ["Allow"]}, ".Effect"),
        ({"Sid": 1}, ".Sid"),
        ({"Action": {}}, ".Action"),
        ({"Action": [[]]}, ".Action"),
        ({"Action": None}, ".Action"),
        ({"NotAction": "s3:Get*"}, ".NotAction"),
        ({"NotResource": []}, ".NotResource"),
        ({"Resource": {"a": "arn:aws:s3:::bucket"}}, ".Resource"),
        ({"Resource": ["adfdf", {}]}, ".Resource"),
        ({"Condition": []}, ".Condition"),
        ({"Condition": "a"}, ".Condition"),
        ({"Condition": {"a": "b"}}, ".Condition.a"),
        ({"Condition": {"a": {"b": "c"}}}, ".Condition.a"),
        ({"Condition": {"StringEquals": {"a": {}}}}, ".Condition.StringEquals.a"),
        ({"Condition": {"StringEquals": {"a": None}}}, ".Condition.StringEquals.a"),
        ({"Condition": {"StringEquals": {"a": [["b"]]}}}, ".Condition.StringEquals.a"),
        ({"Condition": {"NullIfExists": {"a": "true"}}}, ".Condition.NullIfExists"),
        ({"Condition": {"ForSomeValues:StringEquals": {"a": "b"}}}, ".Condition.ForSomeValues:StringEquals"),
        ({"Condition": {":StringEquals": {"a": "b"}}}, ".Condition.:StringEquals"),
        ({"Condition": {"NotBool": {"a": "true"}}}, ".Condition.NotBool"),
    ],
)
def test_syntax_errors(members: dict[str, Any], place: str) -> None:
    error = _fault(text_of(_GOOD, {**_GOOD, **members}))
    assert (error.fault, error.position) == (Fault.SYNTAX, f"Statement[1]{place}")


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (_without("Action"), "Policy statement must contain actions."),
        ({**_GOOD, "Action": []}, "Policy statement must contain actions."),
        (_without("Resource"), "Policy statement must contain resources."),
        ({**_GOOD, "Resource": []}, "Policy statement must contain resources."),
        ({"Effect": "Allow"}, "Policy statement must contain actions."),
        ({**_GOOD, "Action": "x"}, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (_without("Resource", Action="x"), "Policy statement must contain resources."),
        (_without("Action", Resource="arn:aws:s3::bucket"), "The policy failed legacy parsing"),
        ({**_GOOD, "Resource": "arn:aws::bucket"}, "The policy failed legacy parsing"),
        ({**_GOOD, "Resource": "arn:aws::::bucket"}, "The policy failed legacy parsing"),
        (
            {**_GOOD, "Resource": "arn:aws:s3:eu-west-1::bucket"},
            "Resource arn:aws:s3:eu-west-1::bucket can not contain region information.",
        ),
        (
            {**_GOOD, "Resource": "arn:aws:iam:eu-west-1::user/a"},
            "IAM resource arn:aws:iam:eu-west-1::user/a cannot contain region information.",
        ),
        ({**_GOOD, "Resource": "arn:aws:iam::111111111111:users/a"}, Fault.IAM_RESOURCE.value),
        ({**_GOOD, "Resource": "arn:aws:iam::111111111111:xy*"}, Fault.IAM_RESOURCE.value),
        (
            _without("Action", NotAction=""),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        ({**_GOOD, "Action": "s3:List:Bucket"}, "Actions/Condition can contain only one colon."),
        ({**_GOOD, "Action": "ecr:${aws:username}"}, "Actions/Condition can contain only one colon."),
        ({**_GOOD, "Action": "a a:ListBucket"}, "Vendor a a is not valid"),
        ({**_GOOD, "Action": "e*:PutImage"}, "Vendor e* is not valid"),
        ({**_GOOD, "Resource": "invalid resource"}, 'Resource invalid resource must be in ARN format or "*".'),
        ({**_GOOD, "Resource": ""}, 'Resource  must be in ARN format or "*".'),
        ({**_GOOD, "Resource": "b*"}, 'Resource b* must be in ARN format or "*".'),
        (
            {**_GOOD, "Action": "s:3:ListBucket", "Resource": "sdfsadf"},
            'Resource sdfsadf must be in ARN format or "*".',
        ),
        ({**_GOOD, "Resource": "a:bsd"}, 'Partition "bsd" is not valid for resource "arn:bsd:*:*:*:*".'),
        ({**_GOOD, "Resource": "a:b:cad"}, 'Partition "b" is not valid for resource "arn:b:cad:*:*:*".'),
        ({**_GOOD, "Resource": "a:b:c:d:e:f:g:h"}, 'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".'),
        (
            {**_GOOD, "Resource": "aws:s3:::example_bucket"},
            'Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".',
        ),
        ({**_GOOD, "Resource": "arn:aws"}, "Resource vendor must be fully qualified and cannot contain regexes."),
        (
            {**_GOOD, "Resource": "arn:aws:s*:::bucket"},
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ),
        ({**_GOOD, "Resource": "arn:aws:s3::bucket"}, "The policy failed legacy parsing"),
        ({**_GOOD, "Effect": "allow"}, "The policy failed legacy parsing"),
        ({**_GOOD, "Condition": {"DateGreaterThan": {"a": "b"}}}, "The policy failed legacy parsing"),
        ({**_GOOD, "Principal": "*"}, "Policy document should not specify a principal."),
        ({**_GOOD, "NotPrincipal": {"AWS": "111111111111"}}, "Policy document should not specify a principal."),
        (
            {**_GOOD, "Sid": "with space"},
            Fault.SID_FORM.value,
        ),
    ],
)
def test_sentences_for_identity_policies(statement: dict[str, Any], sentence: str) -> None:
    error = _fault(text_of(_GOOD, statement))
    assert error.sentence == sentence
    assert error.position.startswith("Statement[1]")
    assert str(error) == f"{error.position}: {sentence}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (json.dumps({"Statement": _GOOD}), "Policy document must be version 2012-10-17 or greater."),
        (text_of(_GOOD, version="2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
        (
            text_of({**_GOOD, "Sid": "a"}, {**_GOOD, "Sid": "a"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (" " * 131_073, "Cannot exceed quota for PolicySize: 131072"),
    ],
)
def test_sentences_for_whole_documents(text: str, sentence: str) -> None:
    assert _fault(text).sentence == sentence


def test_documents_are_as_long_as_their_kind_may_be() -> None:
    assert _fault(text_of(*[_GOOD] * 200), Kind.SERVICE_CONTROL).sentence == "Cannot exceed quota for PolicySize: 10240"


def test_white_space_does_not_count() -> None:
    assert parse_policy(text_of(_GOOD) + " " * 11_000, Kind.SERVICE_CONTROL).version is Version.NEW


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"Resource": "*"}, Fault.RESOURCE_PROHIBITED),
        ({"Action": "ecr:PutImage"}, Fault.TRUST_ACTION),
        ({"Action": "*"}, Fault.TRUST_ACTION),
        ({"Action": ["sts:AssumeRole", "sts:GetCallerIdentity"]}, Fault.TRUST_ACTION),
        ({"Principal": {"AWS": "*a"}}, Fault.PRINCIPAL_FORM),
    ],
)
def test_trust_policies(members: dict[str, Any], fault: Fault) -> None:
    assert _fault(text_of({**_TRUST, **members}), Kind.TRUST).fault is fault


def test_a_trust_policy_names_what_may_be_done() -> None:
    statement = {key: value for key, value in _TRUST.items() if key != "Action"} | {"NotAction": "ecr:*"}
    assert _fault(text_of(statement), Kind.TRUST).fault is Fault.TRUST_ACTION
    parse_policy(text_of({**_TRUST, "Action": ["sts:AssumeRole*", "sts:TagSession"]}), Kind.TRUST)


@pytest.mark.parametrize("kind", [Kind.TRUST, Kind.REPOSITORY, Kind.REGISTRY, Kind.KEY, Kind.ENDPOINT])
def test_policies_of_resources_name_a_principal(kind: Kind) -> None:
    statement = {key: value for key, value in _TRUST.items() if key != "Principal"}
    if kind is not Kind.TRUST:
        statement["Resource"] = "*"
    assert _fault(text_of(statement), kind).sentence == "Missing required field Principal"


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": "arn:aws:iam::*:root"},
        {"AWS": "arn:aws:iam::111111111111:user/*"},
        {"AWS": "arn:aws:iam::111111111111:group/devs"},
        {"AWS": "arn:aws:iam::11:user/ana"},
        {"AWS": "arn:aws:iam::111111111111:role/${aws:username}*"},
        {"AWS": "arn:aws:sts::111111111111:assumed-role/build"},
        {"AWS": "arn:aws:s3:::bucket"},
        {"AWS": "1111"},
        {"AWS": ""},
        {"AWS": ["111111111111", "ana"]},
        {"Service": "lambda"},
        {"Service": "*.amazonaws.com"},
        {"Federated": "a b"},
        {"CanonicalUser": "*"},
        {"CanonicalUser": "abc"},
    ],
)
def test_principals_that_are_none(principal: dict[str, Any]) -> None:
    error = _fault(text_of({**_REPOSITORY, "Principal": principal}), Kind.REPOSITORY)
    assert error.fault is Fault.PRINCIPAL_FORM
    assert error.position.startswith("Statement[0].Principal.")


@pytest.mark.parametrize("principal", ["arn:aws:iam::111111111111:root", {}, [], None, {"AWS": []}, {"Group": "x"}, 7])
def test_principals_of_no_shape(principal: Any) -> None:
    assert _fault(text_of({**_REPOSITORY, "Principal": principal}), Kind.REPOSITORY).fault is Fault.SYNTAX


def test_everybody_cannot_be_excepted() -> None:
    statement = {"Effect": "Deny", "NotPrincipal": "*", "Action": "ecr:PutImage"}
    assert _fault(text_of(statement), Kind.REPOSITORY).fault is Fault.PRINCIPAL_FORM


def test_a_registry_policy_names_resources_and_a_repository_policy_need_not() -> None:
    assert _fault(text_of(_REPOSITORY), Kind.REGISTRY).fault is Fault.NO_RESOURCE
    parse_policy(text_of(_REPOSITORY), Kind.REPOSITORY)
    parse_policy(text_of({**_REPOSITORY, "Resource": "*"}), Kind.REPOSITORY)
    assert _fault(text_of({**_REPOSITORY, "Resource": []}), Kind.REPOSITORY).fault is Fault.NO_RESOURCE


def test_repository_policies_of_the_older_version_with_free_statement_ids() -> None:
    policy = parse_policy(json.dumps({"Statement": {**_REPOSITORY, "Sid": "new statement"}}), Kind.REPOSITORY)
    assert policy.version is Version.OLD
    assert policy.statements[0].sid == "new statement"
    assert policy.statements[0].position == "Statement"


def test_statement_ids_of_repository_policies_may_come_twice() -> None:
    parse_policy(text_of({**_REPOSITORY, "Sid": "a"}, {**_REPOSITORY, "Sid": "a"}), Kind.REPOSITORY)
    twice = text_of(*[{**_REPOSITORY, "Sid": "a", "Resource": "*"}] * 2)
    assert _fault(twice, Kind.REGISTRY).fault is Fault.SID_TWICE


def test_what_the_user_guides_show_is_accepted() -> None:
    conditions = {
        "ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a*", "b"]},
        "Null": {"aws:TokenIssueTime": True},
        "NumericLessThanEquals": {"aws:MultiFactorAuthAge": 3600},
        "DateLessThan": {"aws:CurrentTime": "2026-11-24T00:00:00Z", "aws:EpochTime": 1795514400},
        "Unknown": {},
    }
    statement = {**_REPOSITORY, "Principal": {"AWS": ["111111111111"], "Service": "ecr.amazonaws.com"}}
    text = json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": [{**statement, "Condition": conditions}]})
    assert len(parse_policy(text, Kind.REPOSITORY).statements[0].conditions) == 5


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:iam::111111111111:root",
        "arn:aws:iam::*:user/${aws:username}",
        "arn:aws:iam::111111111111:*",
        "arn:aws:iam::111111111111:ro*",
        "arn:aws:iam::111111111111:${aws:PrincipalTag/kind}/a",
        "arn:aws:s3:eu-west-1:111111111111:accesspoint/a",
        "arn:aws:s3:*:*:job/*",
        "arn:aws:fdsasf",
        "arn:aws:cloudwatch:eu-west-1::alarm",
    ],
)
def test_resources_that_iam_takes(resource: str) -> None:
    assert parse_policy(text_of({**_GOOD, "Resource": resource}), Kind.IDENTITY).statements


@pytest.mark.parametrize("member", ["Sid", "Resource", "Action"])
def test_half_of_a_surrogate_pair_is_no_text(member: str) -> None:
    statement = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*", member: "\ud800"}
    assert _fault(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), Kind.IDENTITY).fault is Fault.SYNTAX
