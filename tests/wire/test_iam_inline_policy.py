"""Inline policies and permissions boundaries through the IAM API: what clients see, in AWS's words."""

from __future__ import annotations

import json

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import decoded, document, held_by
from tests.support.registry import HOME

WORDS = ["User", "Group", "Role"]


def refusal(reply: Reply) -> tuple[int, str | None, str]:
    return reply.status, reply.code, reply.message


@pytest.mark.parametrize("word", WORDS)
async def test_written_read_and_deleted(aws: AwsWorld, word: str) -> None:
    who = {f"{word}Name": await held_by(aws, word, "mia")}
    listed = await aws.client.iam(f"List{word}Policies", **who)
    assert (listed["PolicyNames"], listed["IsTruncated"]) == ([], False)
    for name in ("b", "a", "C"):
        put = await aws.client.iam(f"Put{word}Policy", **who, PolicyName=name, PolicyDocument=document(f"ecr:{name}"))
        assert put.status == 200
    await aws.client.iam(f"Put{word}Policy", **who, PolicyName="a", PolicyDocument=document("ecr:é*"))

    got = await aws.client.iam(f"Get{word}Policy", **who, PolicyName="a")
    assert (got[f"{word}Name"], got["PolicyName"]) == ("mia", "a")
    assert decoded(got["PolicyDocument"]) == json.loads(document("ecr:é*"))
    page = await aws.client.iam(f"List{word}Policies", **who, MaxItems=2)
    rest = await aws.client.iam(f"List{word}Policies", **who, MaxItems=2, Marker=page["Marker"])
    assert (page["PolicyNames"], rest["PolicyNames"], rest["IsTruncated"]) == (["C", "a"], ["b"], False)

    assert (await aws.client.iam(f"Delete{word}Policy", **who, PolicyName="a")).status == 200
    missing = (404, "NoSuchEntity", f"The {word.lower()} policy with name a cannot be found.")
    for operation in ("Get", "Delete"):
        assert refusal(await aws.client.iam(f"{operation}{word}Policy", **who, PolicyName="a")) == missing


@pytest.mark.parametrize("word", WORDS)
async def test_nobody_has_none(aws: AwsWorld, word: str) -> None:
    who, missing = (
        {f"{word}Name": "nobody"},
        (404, "NoSuchEntity", f"The {word.lower()} with name nobody cannot be found."),
    )
    policy = {"PolicyName": "a", "PolicyDocument": document()}
    assert refusal(await aws.client.iam(f"Put{word}Policy", **who, **policy)) == missing
    assert refusal(await aws.client.iam(f"Get{word}Policy", **who, PolicyName="a")) == missing
    assert refusal(await aws.client.iam(f"List{word}Policies", **who)) == missing
    assert refusal(await aws.client.iam(f"Delete{word}Policy", **who, PolicyName="a")) == missing


@pytest.mark.parametrize(("word", "most"), [("User", 2048), ("Group", 5120), ("Role", 10240)])
async def test_all_together_have_a_length(sqlite_aws: AwsWorld, word: str, most: int) -> None:
    who, iam = {f"{word}Name": await held_by(sqlite_aws, word, "mia")}, sqlite_aws.client.iam
    half = document("ecr:" + "a" * (most // 2 - len("".join(document("ecr:").split()))))
    for name in ("a", "b", "a"):
        assert (await iam(f"Put{word}Policy", **who, PolicyName=name, PolicyDocument=half)).status == 200
    tooth = await iam(f"Put{word}Policy", **who, PolicyName="c", PolicyDocument=document())
    sentence = f"Maximum policy size of {most} bytes exceeded for {word.lower()} mia"
    assert refusal(tooth) == (409, "LimitExceeded", sentence)


async def test_documents_that_are_no_policies(sqlite_aws: AwsWorld) -> None:
    await held_by(sqlite_aws, "User", "mia")
    reply = await sqlite_aws.client.iam("PutUserPolicy", UserName="mia", PolicyName="a", PolicyDocument="{}")
    assert refusal(reply) == (400, "MalformedPolicyDocument", "Syntax errors in policy.")
    named = await sqlite_aws.client.iam("PutUserPolicy", UserName="mia", PolicyName="", PolicyDocument=document())
    assert named.code == "ValidationError"
    long = await sqlite_aws.client.iam("GetUserPolicy", UserName="mia", PolicyName="a" * 129)
    assert long.code == "ValidationError"


@pytest.mark.parametrize("word", ["User", "Role"])
async def test_boundaries(aws: AwsWorld, word: str) -> None:
    name = await held_by(aws, word, "mia")
    who, iam = {f"{word}Name": name}, aws.client.iam
    made = await iam("CreatePolicy", PolicyName="Fence", PolicyDocument=document())
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    for arn in (made["Policy"]["Arn"], administrator):
        assert (await iam(f"Put{word}PermissionsBoundary", **who, PermissionsBoundary=arn)).status == 200
        entities = await iam("ListEntitiesForPolicy", PolicyArn=arn, PolicyUsageFilter="PermissionsBoundary")
        assert [one[f"{word}Name"] for one in entities[f"Policy{word}s"]] == ["mia"]
    counted = await iam("GetPolicy", PolicyArn=made["Policy"]["Arn"])
    assert counted["Policy"]["PermissionsBoundaryUsageCount"] == 0

    for _ in range(2):
        assert (await iam(f"Delete{word}PermissionsBoundary", **who)).status == 200
    entities = await iam("ListEntitiesForPolicy", PolicyArn=administrator)
    assert entities[f"Policy{word}s"] == []

    missing = f"arn:aws:iam::{HOME.account_id}:policy/Nowhere"
    reply = await iam(f"Put{word}PermissionsBoundary", **who, PermissionsBoundary=missing)
    assert refusal(reply) == (404, "NoSuchEntity", f"Scope ARN: {missing} does not exist or is not attachable.")
    odd = "arn:aws:iam::123456789:not_a_boundary"
    reply = await iam(f"Put{word}PermissionsBoundary", **who, PermissionsBoundary=odd)
    assert refusal(reply) == (
        400,
        "InvalidParameterValue",
        f"Value ({odd}) for parameter PermissionsBoundary is invalid.",
    )
    nobody = {f"{word}Name": "nobody"}
    not_found = (404, "NoSuchEntity", f"The {word.lower()} with name nobody cannot be found.")
    assert refusal(await iam(f"Delete{word}PermissionsBoundary", **nobody)) == not_found
    reply = await iam(f"Put{word}PermissionsBoundary", **nobody, PermissionsBoundary=administrator)
    assert refusal(reply) == not_found
