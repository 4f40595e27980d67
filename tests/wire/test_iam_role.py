"""Roles through the IAM API: what clients see, in AWS's words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind
from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import attach, document, put_inline, put_key
from tests.support.registry import HOME, OTHER_ACCOUNT

ACCOUNT = HOME.account_id
BASE = {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}
BOUNDARY = "arn:aws:iam::aws:policy/AdministratorAccess"


def statement(**members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole", **members}


def trust(**members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement(**members)]})


def whom(*names: str) -> str:
    return trust(Principal={"AWS": list(names)})


def trust_of(role: dict[str, Any]) -> Any:
    """The trust policy of an answer, decoded as boto3 does it."""
    return json.loads(unquote(role["AssumeRolePolicyDocument"]))


TRUST = trust()


def refusal(reply: Reply) -> tuple[int, str | None, str]:
    assert reply.parsed["Error"]["Type"] == "Sender"
    return reply.status, reply.code, reply.message


def not_found(name: str) -> tuple[int, str, str]:
    return 404, "NoSuchEntity", f"The role with name {name} cannot be found."


async def make(aws: AwsWorld, name: str = "ci", **parameters: Any) -> dict[str, Any]:
    made = await aws.client.iam("CreateRole", RoleName=name, **({"AssumeRolePolicyDocument": TRUST} | parameters))
    role: dict[str, Any] = made["Role"]
    return role


async def get(aws: AwsWorld, name: str = "ci") -> dict[str, Any]:
    role: dict[str, Any] = (await aws.client.iam("GetRole", RoleName=name))["Role"]
    return role


async def test_a_role_is_made_found_and_deleted(aws: AwsWorld) -> None:
    made = await make(aws)

    assert made.keys() == BASE
    assert (made["Path"], made["RoleName"]) == ("/", "ci")
    assert made["RoleId"].startswith("AROA")
    assert len(made["RoleId"]) == 21
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ci"
    assert made["CreateDate"].microsecond == 0
    assert trust_of(made) == json.loads(TRUST)
    assert await get(aws, "CI") == {**made, "MaxSessionDuration": 3600, "RoleLastUsed": {}}
    listed = await aws.client.iam("ListRoles")
    assert (listed["Roles"], listed["IsTruncated"]) == ([{**made, "MaxSessionDuration": 3600}], False)

    assert (await aws.client.iam("DeleteRole", RoleName="ci")).status == 200
    assert refusal(await aws.client.iam("GetRole", RoleName="ci")) == not_found("ci")
    assert (await aws.client.iam("ListRoles"))["Roles"] == []
    again = await make(aws)
    assert again["RoleId"] != made["RoleId"]


async def test_documents_are_percent_encoded(aws: AwsWorld) -> None:
    await make(aws)

    raw = (await aws.client.iam("GetRole", RoleName="ci")).response.body

    assert b"<AssumeRolePolicyDocument>%7B%22Version%22%3A%20%222012-10-17%22" in raw
    assert b"<RoleLastUsed></RoleLastUsed>" in raw


async def test_a_role_with_everything(aws: AwsWorld) -> None:
    tags = [{"Key": "Environment", "Value": "Test"}, {"Key": "Team", "Value": ""}]
    made = await make(
        aws,
        Path="/ci/web/",
        Description="builds é",
        MaxSessionDuration=43200,
        PermissionsBoundary=BOUNDARY,
        Tags=tags,
    )

    assert made.keys() == BASE | {"Tags", "PermissionsBoundary"}
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ci/web/ci"
    assert made["Tags"] == tags
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY
    shown = {"Description": "builds é", "MaxSessionDuration": 43200}
    assert await get(aws) == {**made, **shown, "RoleLastUsed": {}}
    (listed,) = (await aws.client.iam("ListRoles", PathPrefix="/ci/"))["Roles"]
    assert listed == {**{name: made[name] for name in BASE}, **shown}


async def test_lists_by_path_and_page(aws: AwsWorld) -> None:
    for path, name in [("/", "d"), ("/a/", "C"), ("/a/", "b"), ("/ab/", "a"), ("/a/", "e")]:
        await make(aws, name, Path=path)

    first = await aws.client.iam("ListRoles", PathPrefix="/a/", MaxItems=2)
    second = await aws.client.iam("ListRoles", PathPrefix="/a/", MaxItems=2, Marker=first["Marker"])
    wrong = await aws.client.iam("ListRoles", PathPrefix="/", Marker=first["Marker"])

    assert [[role["RoleName"] for role in page["Roles"]] for page in (first, second)] == [["b", "C"], ["e"]]
    assert [page["IsTruncated"] for page in (first, second)] == [True, False]
    assert "Marker" not in second.parsed
    assert (wrong.status, wrong.code) == (400, "ValidationError")
    assert (await aws.stranger.iam("ListRoles"))["Roles"] == []


async def test_updates_change_what_they_name(aws: AwsWorld) -> None:
    made = await make(aws, Description="first")

    assert (
        await aws.client.iam("UpdateRole", RoleName="ci", Description="second", MaxSessionDuration=7200)
    ).status == 200
    role = await get(aws)
    assert (role["Description"], role["MaxSessionDuration"]) == ("second", 7200)
    described = await aws.client.iam("UpdateRoleDescription", RoleName="ci", Description="third")
    assert described["Role"] == {**made, "Description": "third"}
    await aws.client.iam("UpdateRole", RoleName="ci")
    role = await get(aws)
    assert (role["Description"], role["MaxSessionDuration"]) == ("third", 7200)
    await aws.client.iam("UpdateRole", RoleName="ci", Description="")
    assert "Description" not in await get(aws)


async def test_the_trust_policy_is_replaced(aws: AwsWorld) -> None:
    await make(aws)
    other = trust(Principal={"Service": ["lambda.amazonaws.com"]})

    reply = await aws.client.iam("UpdateAssumeRolePolicy", RoleName="ci", PolicyDocument=other)

    assert reply.status == 200
    assert trust_of(await get(aws)) == json.loads(other)


async def test_trusted_people_are_kept_by_id(aws: AwsWorld) -> None:
    """Renamed, a user is still meant; made anew under the old name, another is not."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/mia"
    user = (await aws.client.iam("CreateUser", UserName="mia"))["User"]
    await make(aws, AssumeRolePolicyDocument=whom(arn, ACCOUNT))

    await aws.client.iam("UpdateUser", UserName="mia", NewUserName="ana")
    renamed = trust_of(await get(aws))["Statement"][0]["Principal"]["AWS"]
    await aws.client.iam("DeleteUser", UserName="ana")
    await aws.client.iam("CreateUser", UserName="mia")
    deleted = trust_of((await aws.client.iam("ListRoles"))["Roles"][0])

    assert renamed == [f"arn:aws:iam::{ACCOUNT}:user/ana", ACCOUNT]
    assert deleted["Statement"][0]["Principal"]["AWS"] == [user["UserId"], ACCOUNT]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not valid json", "This policy contains invalid Json"),
        ("{}", "Syntax errors in policy."),
        (trust(Action="sts:InvalidAction"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Action="ecr:PutImage"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust(Resource="arn:aws:s3:::example_bucket"), "Has prohibited field Resource"),
        (
            whom(f"arn:aws:iam::{ACCOUNT}:user/nobody"),
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/nobody"',
        ),
        (
            whom(f"arn:aws:iam::{ACCOUNT}:group/all"),
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:group/all"',
        ),
    ],
)
async def test_what_is_no_trust_policy(aws: AwsWorld, text: str, sentence: str) -> None:
    await make(aws)

    made = await aws.client.iam("CreateRole", RoleName="other", AssumeRolePolicyDocument=text)
    updated = await aws.client.iam("UpdateAssumeRolePolicy", RoleName="ci", PolicyDocument=text)

    assert refusal(made) == refusal(updated) == (400, "MalformedPolicyDocument", sentence)
    assert [role["RoleName"] for role in (await aws.client.iam("ListRoles"))["Roles"]] == ["ci"]
    assert trust_of(await get(aws)) == json.loads(TRUST)


async def test_a_trust_policy_has_2048_characters(aws: AwsWorld) -> None:
    longest = trust(Sid="a" * (2048 - len("".join(trust(Sid="").split()))))

    await make(aws, AssumeRolePolicyDocument=longest.replace(", ", ",\n   "))
    for longer in (longest.replace('"a', '"aa', 1), longest + "{" * 9_000):
        reply = await aws.client.iam("UpdateAssumeRolePolicy", RoleName="ci", PolicyDocument=longer)
        assert refusal(reply) == (409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("GetRole", {}),
        ("DeleteRole", {}),
        ("UpdateRole", {"Description": "x"}),
        ("UpdateRoleDescription", {"Description": "x"}),
        ("UpdateAssumeRolePolicy", {"PolicyDocument": TRUST}),
        ("ListInstanceProfilesForRole", {}),
    ],
)
async def test_roles_that_are_not_there(aws: AwsWorld, operation: str, parameters: dict[str, Any]) -> None:
    await aws.client.iam("CreateUser", UserName="nobody")

    assert refusal(await aws.client.iam(operation, RoleName="nobody", **parameters)) == not_found("nobody")


async def test_names_differ_by_more_than_case(aws: AwsWorld) -> None:
    await make(aws, "Deploy")

    taken = await aws.client.iam("CreateRole", RoleName="deploy", AssumeRolePolicyDocument=TRUST)

    assert refusal(taken) == (409, "EntityAlreadyExists", "Role with name deploy already exists.")


@pytest.mark.parametrize(
    ("parameters", "code", "sentence"),
    [
        (
            {"RoleName": "a" * 65},
            "ValidationError",
            (
                "1 validation error detected: Value at 'roleName' failed to satisfy constraint: "
                "Member must have length less than or equal to 64"
            ),
        ),
        (
            {"RoleName": "a b"},
            "ValidationError",
            (
                "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the "
                "following: +=,.@_-"
            ),
        ),
        (
            {"MaxSessionDuration": 3599},
            "ValidationError",
            (
                "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: "
                "Member must have value greater than or equal to 3600"
            ),
        ),
        (
            {"MaxSessionDuration": 43_201},
            "ValidationError",
            (
                "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: "
                "Member must have value less than or equal to 43200"
            ),
        ),
        (
            {"Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]},
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/none"},
            "NoSuchEntity",
            f"Scope ARN: arn:aws:iam::{ACCOUNT}:policy/none does not exist or is not attachable.",
        ),
    ],
)
async def test_bad_input(aws: AwsWorld, parameters: dict[str, Any], code: str, sentence: str) -> None:
    wanted = {"RoleName": "ci", "AssumeRolePolicyDocument": TRUST} | parameters

    reply = await aws.client.iam("CreateRole", **wanted)

    assert (reply.code, reply.message) == (code, sentence)
    assert (await aws.client.iam("ListRoles"))["Roles"] == []


async def test_a_role_with_policies_stays(aws: AwsWorld) -> None:
    role = await make(aws)
    entity = Entity(role["RoleId"], ACCOUNT, EntityKind.ROLE, "/", "ci", role["CreateDate"])
    write = aws.registry.database.write
    await write(lambda connection: put_inline(connection, entity, "own", document()))
    inline = await aws.client.iam("DeleteRole", RoleName="ci")
    await write(lambda connection: attach(connection, entity, BOUNDARY))
    both = await aws.client.iam("DeleteRole", RoleName="ci")

    assert refusal(both) == (409, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
    assert refusal(inline) == (409, "DeleteConflict", "Cannot delete entity, must delete policies first.")
    assert (await get(aws))["RoleId"] == role["RoleId"]


async def test_other_accounts_have_their_own(aws: AwsWorld) -> None:
    await make(aws)

    assert (await aws.stranger.iam("GetRole", RoleName="ci")).code == "NoSuchEntity"
    theirs = await aws.stranger.iam("CreateRole", RoleName="ci", AssumeRolePolicyDocument=TRUST)
    assert theirs["Role"]["Arn"] == f"arn:aws:iam::{OTHER_ACCOUNT}:role/ci"


async def test_who_may_assume_a_role_is_decided_from_the_next_request_on(aws: AwsWorld) -> None:
    """Trust comes and goes; the sessions of a role that is deleted end at once, and stay ended."""
    user = (await aws.client.iam("CreateUser", UserName="mia"))["User"]
    mia = Entity(user["UserId"], ACCOUNT, EntityKind.USER, "/", "mia", user["CreateDate"])
    keys = aws.registry.services.key
    key = await aws.registry.database.write(lambda connection: put_key(connection, keys, mia))
    client = replace(aws.client, key=key)
    await make(aws)

    async def assume() -> Reply:
        return await client.sts("AssumeRole", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/ci", RoleSessionName="build")

    async def trusts(text: str) -> None:
        reply = await aws.client.iam("UpdateAssumeRolePolicy", RoleName="ci", PolicyDocument=text)
        assert reply.status == 200

    assert (await assume()).code == "AccessDenied"
    await trusts(whom(user["Arn"]))
    issued = (await assume())["Credentials"]
    session = replace(client, key=(issued["AccessKeyId"], issued["SecretAccessKey"]), token=issued["SessionToken"])
    assert (await session.sts("GetCallerIdentity")).status == 200
    await trusts(TRUST)
    assert (await assume()).code == "AccessDenied"
    await aws.client.iam("DeleteRole", RoleName="ci")
    assert (await session.sts("GetCallerIdentity")).code == "InvalidClientTokenId"
    await make(aws, AssumeRolePolicyDocument=whom(user["Arn"]))
    assert (await session.sts("GetCallerIdentity")).code == "InvalidClientTokenId"
    assert (await assume()).status == 200


async def test_when_a_role_was_last_used(aws: AwsWorld) -> None:
    """By any request of any of its sessions, as of the last time a worker wrote it down."""
    await make(aws, AssumeRolePolicyDocument=whom(ACCOUNT))
    user = (await aws.client.iam("CreateUser", UserName="mia"))["User"]
    mia = Entity(user["UserId"], ACCOUNT, EntityKind.USER, "/", "mia", user["CreateDate"])
    keys = aws.registry.services.key

    def change(connection: Connection) -> tuple[str, str]:
        put_inline(connection, mia, "assume", document("sts:AssumeRole"))
        return put_key(connection, keys, mia)

    client = replace(aws.client, key=await aws.registry.database.write(change), region="eu-west-1")
    for seconds, name in ((60, "first"), (120, "second")):
        reply = await client.sts("AssumeRole", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/ci", RoleSessionName=name)
        issued = reply["Credentials"]
        session = replace(client, key=(issued["AccessKeyId"], issued["SecretAccessKey"]), token=issued["SessionToken"])
        aws.registry.clock.advance(seconds)
        await session.sts("GetCallerIdentity")
    now = aws.registry.clock.now()

    await aws.registry.services.iam_access_key.uses.flush(is_final=True)

    used = (await get(aws))["RoleLastUsed"]
    assert used["Region"] == "eu-west-1"
    assert abs((used["LastUsedDate"] - now).total_seconds()) < 30
    (listed,) = (await aws.client.iam("ListRoles"))["Roles"]
    assert "RoleLastUsed" not in listed
