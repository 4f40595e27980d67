"""What users may do with themselves, and that groups and keys decide from the next request on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.aws import AwsClient, AwsWorld
from tests.support.registry import HOME
from tests.support.wire import Client
from tests.wire.test_iam_access_key import holder, new_key
from tests.wire.test_iam_user import refusal

ACCOUNT = HOME.account_id


def allowing(*actions: str, resource: str = "*") -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def user(aws: AwsWorld, name: str, policy: str | None = None, path: str = "/") -> AwsClient:
    """A new user with a policy, as a client."""
    await aws.client.iam("CreateUser", UserName=name, Path=path)
    if policy:
        await aws.client.iam("PutUserPolicy", UserName=name, PolicyName="own", PolicyDocument=policy)
    return holder(aws, await new_key(aws, name))


async def test_users_manage_their_own_keys_and_nobody_elses(aws: AwsWorld) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:user/team/${{aws:username}}"
    actions = ("iam:GetUser", "iam:ListAccessKeys", "iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:TagUser")
    mia = await user(aws, "mia", allowing(*actions, resource=own), "/team/")
    await user(aws, "lea", path="/team/")
    await user(aws, "zoe")

    assert (await mia.iam("GetUser"))["User"]["UserName"] == "mia"
    made = (await mia.iam("CreateAccessKey"))["AccessKey"]
    assert made["UserName"] == "mia"
    assert len((await mia.iam("ListAccessKeys", UserName="mia"))["AccessKeyMetadata"]) == 2
    assert (await mia.iam("DeleteAccessKey", AccessKeyId=made["AccessKeyId"])).status == 200
    assert (await mia.iam("TagUser", UserName="mia", Tags=[{"Key": "team", "Value": "a"}])).status == 200
    for other in ("lea", "zoe", "nobody"):
        for operation in ("GetUser", "ListAccessKeys", "CreateAccessKey"):
            assert (await mia.iam(operation, UserName=other)).code == "AccessDenied", (operation, other)
    assert (await mia.iam("ListUsers")).code == "AccessDenied"


async def test_a_denial_is_the_same_whether_the_user_exists_or_not(aws: AwsWorld) -> None:
    mia = await user(aws, "mia")
    await user(aws, "lea")

    messages = [refusal(await mia.iam("GetUser", UserName=name))[2].replace(name, "NAME") for name in ("lea", "nobody")]
    assert messages[0] == messages[1]


async def test_a_group_grants_from_the_next_request_on_and_no_longer(aws: AwsWorld) -> None:
    mia = await user(aws, "mia")
    await aws.client.iam("CreateGroup", GroupName="readers")
    policy = allowing("ecr:DescribeRepositories")
    await aws.client.iam("PutGroupPolicy", GroupName="readers", PolicyName="p", PolicyDocument=policy)
    membership: dict[str, Any] = {"GroupName": "readers", "UserName": "mia"}

    assert (await mia.ecr("DescribeRepositories")).code == "AccessDeniedException"
    for operation, status in [("AddUserToGroup", 200), ("RemoveUserFromGroup", 400), ("AddUserToGroup", 200)]:
        await aws.client.iam(operation, **membership)
        assert (await mia.ecr("DescribeRepositories")).status == status, operation
    await aws.client.iam("UpdateGroup", GroupName="readers", NewGroupName="pullers", NewPath="/a/")
    await aws.client.iam("UpdateUser", UserName="mia", NewUserName="mina", NewPath="/b/")
    assert (await mia.ecr("DescribeRepositories")).status == 200


MOVES: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"New": "lena"}, 200),
    ({"NewPath": "/team/a/"}, 200),
    ({"New": "admin"}, 403),
    ({"NewPath": "/"}, 403),
    ({"NewPath": "/admins/"}, 403),
    ({"New": "lena", "NewPath": "/admins/"}, 403),
]


@pytest.mark.parametrize("kind", ["user", "group"])
@pytest.mark.parametrize(("given", "status"), MOVES, ids=str)
async def test_who_moves_somebody_needs_to_be_allowed_there_too(
    aws: AwsWorld, kind: str, given: dict[str, str], status: int
) -> None:
    """Not from `/team/` into `/admins/`, and not to a name that the caller may not change."""
    mia, title = await user(aws, "mia"), kind.title()
    await aws.client.iam(f"Create{title}", **{f"{title}Name": "lea", "Path": "/team/"})
    arn = f"arn:aws:iam::{ACCOUNT}:{kind}/team/"
    statements = [
        {"Effect": "Allow", "Action": f"iam:Update{title}", "Resource": [f"{arn}le*", f"{arn}a/lea"]},
        {"Effect": "Deny", "Action": f"iam:Update{title}", "Resource": f"{arn}admin"},
    ]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    await aws.client.iam("PutUserPolicy", UserName="mia", PolicyName="own", PolicyDocument=text)

    parameters = {f"New{title}Name" if member == "New" else member: value for member, value in given.items()}
    reply = await mia.iam(f"Update{title}", **{f"{title}Name": "lea"}, **parameters)

    assert reply.status == status, reply.parsed
    is_gone = status == 200 and "New" in given
    assert (await aws.client.iam(f"Get{title}", **{f"{title}Name": "lea"})).status == (404 if is_gone else 200)


async def test_tagging_a_user_decides_from_the_next_request_on(aws: AwsWorld) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "ecr:DescribeRepositories",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/team": "web"}},
    }
    mia = await user(aws, "mia", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    changes: list[tuple[str, dict[str, Any], int]] = [
        ("TagUser", {"Tags": [{"Key": "team", "Value": "api"}]}, 400),
        ("TagUser", {"Tags": [{"Key": "Team", "Value": "web"}]}, 200),
        ("UntagUser", {"TagKeys": ["TEAM"]}, 400),
    ]
    for operation, parameters, status in changes:
        assert (await aws.client.iam(operation, UserName="mia", **parameters)).status == 200
        assert (await mia.ecr("DescribeRepositories")).status == status, (operation, parameters)


async def test_a_registry_token_ends_with_the_key_that_asked_for_it(aws: AwsWorld) -> None:
    grant = allowing("ecr:GetAuthorizationToken", "ecr:ListImages", "ecr:DescribeRepositories")
    mia = await user(aws, "mia", grant)
    await aws.create("team/app")
    granted = (await mia.ecr("GetAuthorizationToken"))["authorizationData"][0]["authorizationToken"]
    docker = Client(aws.registry.client.session, aws.registry.url, f"Basic {granted}")
    key = {"UserName": "mia", "AccessKeyId": mia.key[0]}

    async def status() -> int:
        return (await docker.send("GET", "/v2/team/app/tags/list")).status

    assert await status() == 200
    for change, expected in [("Inactive", 401), ("Active", 200)]:
        await aws.client.iam("UpdateAccessKey", **key, Status=change)
        assert await status() == expected, change
    await aws.client.iam("DeleteAccessKey", **key)
    assert await status() == 401


async def test_creation_with_tags_needs_leave_to_tag(aws: AwsWorld) -> None:
    mia = await user(aws, "mia", allowing("iam:CreateUser"))
    tags = [{"Key": "team", "Value": "web"}]

    assert (await mia.iam("CreateUser", UserName="new", Tags=tags)).code == "AccessDenied"
    assert (await mia.iam("CreateUser", UserName="new")).status == 200
