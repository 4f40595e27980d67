"""Simulation through the IAM API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import document, held_by
from tests.support.registry import HOME

ACCOUNT = HOME.account_id
MIA = f"arn:aws:iam::{ACCOUNT}:user/mia"
REPOSITORY = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def entry(key: str, *values: str, kind: str = "string") -> dict[str, Any]:
    return {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": kind}


def decisions(reply: Reply) -> list[tuple[str, str, str]]:
    return [
        (result["EvalActionName"], result["EvalResourceName"], result["EvalDecision"])
        for result in reply["EvaluationResults"]
    ]


async def test_policies_of_the_question(sqlite_aws: AwsWorld) -> None:
    text = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:List*","Resource":"*"}}'
    reply = await sqlite_aws.client.iam(
        "SimulateCustomPolicy", PolicyInputList=[text], ActionNames=["ecr:ListImages", "ecr:PutImage"]
    )
    allowed, denied = reply["EvaluationResults"]

    assert allowed == {
        "EvalActionName": "ecr:ListImages",
        "EvalResourceName": "*",
        "EvalDecision": "allowed",
        "MatchedStatements": [
            {
                "SourcePolicyId": "PolicyInputList.1",
                "SourcePolicyType": "none",
                "StartPosition": {"Line": 1, "Column": 38},
                "EndPosition": {"Line": 1, "Column": len(text)},
            }
        ],
        "MissingContextValues": [],
    }
    assert (denied["EvalDecision"], denied["MatchedStatements"]) == ("implicitDeny", [])
    assert reply["IsTruncated"] is False


async def test_keys_boundaries_and_organisations(sqlite_aws: AwsWorld) -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/team": "web"}}
    asked: dict[str, Any] = {
        "PolicyInputList": [document("ecr:*", Condition=condition)],
        "PermissionsBoundaryPolicyInputList": [document("ecr:List*")],
        "OrderedOrganizationPolicyInputList": [{"ServiceControlPolicyInputList": [document("ecr:*")]}],
        "ActionNames": ["ecr:ListImages", "ecr:PutImage"],
        "ResourceArns": [REPOSITORY],
    }
    without = (await sqlite_aws.client.iam("SimulateCustomPolicy", **asked))["EvaluationResults"]
    assert [one["EvalDecision"] for one in without] == ["implicitDeny", "implicitDeny"]
    assert [one["MissingContextValues"] for one in without] == [[], []]
    (specific,) = without[0]["ResourceSpecificResults"]
    assert specific["MissingContextValues"] == ["aws:PrincipalTag/team"]

    given = await sqlite_aws.client.iam(
        "SimulateCustomPolicy", **asked, ContextEntries=[entry("AWS:PrincipalTag/Team", "web")]
    )
    assert decisions(given) == [
        ("ecr:ListImages", REPOSITORY, "allowed"),
        ("ecr:PutImage", REPOSITORY, "implicitDeny"),
    ]
    listed, put = given["EvaluationResults"]
    assert listed["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    assert put["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert put["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}


async def test_policies_of_a_user_with_groups_and_boundary(aws: AwsWorld) -> None:
    await held_by(aws, "User", "mia")
    await held_by(aws, "Group", "team")
    iam = aws.client.iam
    await iam("AddUserToGroup", UserName="mia", GroupName="team")
    await iam("PutUserPolicy", UserName="mia", PolicyName="own", PolicyDocument=document("ecr:List*"))
    await iam("PutGroupPolicy", GroupName="team", PolicyName="no", PolicyDocument=document("ecr:Delete*", "Deny"))
    named = document("s3:GetObject").replace('"*"', '"arn:aws:s3:::home/${aws:username}"')
    made = await iam("CreatePolicy", PolicyName="Mine", PolicyDocument=named)
    await iam("AttachUserPolicy", UserName="mia", PolicyArn=made["Policy"]["Arn"])
    await iam("AttachGroupPolicy", GroupName="team", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    actions = ["ecr:ListImages", "ecr:DeleteRepository", "s3:GetObject"]
    home = "arn:aws:s3:::home/mia"

    async def ask(**parameters: Any) -> list[tuple[str, list[tuple[str, str]]]]:
        reply = await iam(
            "SimulatePrincipalPolicy", PolicySourceArn=MIA, ActionNames=actions, ResourceArns=[home], **parameters
        )
        return [
            (
                one["EvalDecision"],
                sorted((match["SourcePolicyId"], match["SourcePolicyType"]) for match in one["MatchedStatements"]),
            )
            for one in reply["EvaluationResults"]
        ]

    administrator = ("AdministratorAccess", "aws-managed")
    assert await ask() == [
        ("allowed", [administrator, ("user_mia_own", "user")]),
        ("explicitDeny", [("group_team_no", "group")]),
        ("allowed", [administrator, ("Mine", "user-managed")]),
    ]
    inline = {"PolicyName": "no", "AttachmentType": "group", "AttachmentName": "team"}
    without = [
        {"PolicyType": "aws-managed", "PolicyArn": ADMINISTRATOR},
        {"PolicyType": "inline", "InlinePolicyIdentifier": inline},
    ]
    assert [decision for decision, _ in await ask(PolicyExclusionList=without)] == [
        "allowed",
        "implicitDeny",
        "allowed",
    ]

    await iam("PutUserPermissionsBoundary", UserName="mia", PermissionsBoundary=made["Policy"]["Arn"])
    assert [decision for decision, _ in await ask()] == ["implicitDeny", "explicitDeny", "allowed"]
    whole = await ask(PermissionsBoundaryPolicyInputList=[document("*")])
    assert [decision for decision, _ in whole] == ["allowed", "explicitDeny", "allowed"]
    group = await iam(
        "SimulatePrincipalPolicy", PolicySourceArn=MIA.replace("user/mia", "group/team"), ActionNames=actions
    )
    assert [decision for *_, decision in decisions(group)] == ["allowed", "explicitDeny", "allowed"]


async def test_the_policy_of_a_resource(sqlite_aws: AwsWorld) -> None:
    await held_by(sqlite_aws, "User", "mia")
    policy = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": MIA}, "Action": "ecr:*"}}
    )
    foreign = REPOSITORY.replace(ACCOUNT, "9" * 12)
    reply = await sqlite_aws.client.iam(
        "SimulatePrincipalPolicy",
        PolicySourceArn=MIA,
        ActionNames=["ecr:PutImage"],
        ResourceArns=[REPOSITORY, foreign],
        ResourcePolicy=policy,
    )
    assert [decision for *_, decision in decisions(reply)] == ["allowed", "implicitDeny"]
    assert reply["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyType"] == "resource"


async def test_pages(sqlite_aws: AwsWorld) -> None:
    asked: dict[str, Any] = {
        "PolicyInputList": [document("ecr:*")],
        "ActionNames": [f"ecr:Action{number}" for number in range(3)],
        "ResourceArns": ["arn:aws:s3:::a", "arn:aws:s3:::b"],
    }
    whole, found = decisions(await sqlite_aws.client.iam("SimulateCustomPolicy", **asked)), []
    marker: dict[str, str] = {}
    for _ in range(2):
        page = await sqlite_aws.client.iam("SimulateCustomPolicy", **asked, MaxItems=4, **marker)
        found += decisions(page)
        marker = {"Marker": page.parsed.get("Marker", "")}
    assert (found, page["IsTruncated"], len(whole)) == (whole, False, 6)


async def test_context_keys(aws: AwsWorld) -> None:
    text = document(
        "ecr:*", Condition={"Bool": {"aws:SecureTransport": "true"}, "Null": {"AWS:securetransport": "true"}}
    )
    other = document("ecr:*").replace('"*"', '"${aws:username}*"').replace("${", "arn:aws:s3:::${")
    found = await aws.client.iam("GetContextKeysForCustomPolicy", PolicyInputList=[text, other])
    assert found["ContextKeyNames"] == ["aws:SecureTransport", "aws:username"]

    await held_by(aws, "Role", "deploy")
    await aws.client.iam("PutRolePolicy", RoleName="deploy", PolicyName="a", PolicyDocument=text)
    of_role = await aws.client.iam(
        "GetContextKeysForPrincipalPolicy",
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/deploy",
        PolicyInputList=[other],
    )
    assert of_role["ContextKeyNames"] == ["aws:SecureTransport", "aws:username"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"PolicySourceArn": MIA.replace("mia", "nobody")}, "NoSuchEntity"),
        ({"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:policy/nothing"}, "InvalidInput"),
        ({"PolicySourceArn": f"arn:aws:iam::{'9' * 12}:user/mia"}, "AccessDenied"),
        ({"PolicySourceArn": "short"}, "ValidationError"),
        ({"PolicySourceArn": MIA, "PolicyInputList": ["{}"]}, "InvalidInput"),
        ({"PolicySourceArn": MIA, "ResourcePolicy": "{}"}, "InvalidInput"),
        ({"PolicySourceArn": MIA, "CallerArn": "nobody"}, "InvalidInput"),
        ({"PolicySourceArn": MIA, "ActionNames": ["x"]}, "ValidationError"),
    ],
)
async def test_questions_that_cannot_be_asked(sqlite_aws: AwsWorld, parameters: dict[str, Any], code: str) -> None:
    await held_by(sqlite_aws, "User", "mia")
    reply = await sqlite_aws.client.iam("SimulatePrincipalPolicy", **{"ActionNames": ["ecr:PutImage"], **parameters})
    assert reply.code == code, reply.parsed


async def test_without_a_caller_a_resource_has_nobody_to_let_in(sqlite_aws: AwsWorld) -> None:
    for operation, parameters in (
        ("SimulateCustomPolicy", {"ActionNames": ["ecr:PutImage"], "ResourcePolicy": document(Principal="*")}),
        ("GetContextKeysForCustomPolicy", {}),
    ):
        reply = await sqlite_aws.client.iam(
            operation, PolicyInputList=["{" if not parameters else document()], **parameters
        )
        assert reply.code == "InvalidInput"
