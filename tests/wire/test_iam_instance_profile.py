"""Instance profiles through the IAM API: what clients see, in AWS's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.registry import HOME
from tests.wire.test_iam_access_key import holder, new_key

ACCOUNT = HOME.account_id
BASE = {"Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate", "Roles"}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def refusal(reply: Reply) -> tuple[int, str | None, str]:
    return reply.status, reply.code, reply.message


def no_profile(name: str) -> tuple[int, str, str]:
    return 404, "NoSuchEntity", f"Instance Profile {name} cannot be found."


async def do(aws: AwsWorld, operation: str, **parameters: Any) -> Reply:
    return await aws.client.iam(operation, **parameters)


async def make(aws: AwsWorld, name: str = "node", **parameters: Any) -> dict[str, Any]:
    made = (await do(aws, "CreateInstanceProfile", InstanceProfileName=name, **parameters))["InstanceProfile"]
    profile: dict[str, Any] = made
    return profile


async def make_role(aws: AwsWorld, name: str = "ci") -> dict[str, Any]:
    role: dict[str, Any] = (await do(aws, "CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST))["Role"]
    return role


async def put(aws: AwsWorld, role: str = "ci", profile: str = "node") -> Reply:
    return await do(aws, "AddRoleToInstanceProfile", InstanceProfileName=profile, RoleName=role)


async def take(aws: AwsWorld, role: str = "ci", profile: str = "node") -> Reply:
    return await do(aws, "RemoveRoleFromInstanceProfile", InstanceProfileName=profile, RoleName=role)


async def test_a_profile_is_made_found_and_deleted(aws: AwsWorld) -> None:
    made = await make(aws, Path="/k8s/")

    assert made.keys() == BASE
    assert made["InstanceProfileId"].startswith("AIPA")
    assert (made["Arn"], made["Roles"]) == (f"arn:aws:iam::{ACCOUNT}:instance-profile/k8s/node", [])
    shown = (await do(aws, "GetInstanceProfile", InstanceProfileName="NODE"))["InstanceProfile"]
    assert shown == {**made, "Tags": []}
    taken = await do(aws, "CreateInstanceProfile", InstanceProfileName="Node")
    assert refusal(taken) == (409, "EntityAlreadyExists", "Instance Profile Node already exists.")
    assert (await do(aws, "GetAccountSummary"))["SummaryMap"]["InstanceProfiles"] == 1

    assert (await do(aws, "DeleteInstanceProfile", InstanceProfileName="node")).status == 200
    assert refusal(await do(aws, "GetInstanceProfile", InstanceProfileName="node")) == no_profile("node")
    assert (await do(aws, "GetAccountSummary"))["SummaryMap"]["InstanceProfiles"] == 0


async def test_lists_by_path_and_page(aws: AwsWorld) -> None:
    for path, name in [("/", "d"), ("/a/", "C"), ("/a/", "b"), ("/a/", "e")]:
        await make(aws, name, Path=path, Tags=[{"Key": "k", "Value": "v"}])

    first = await do(aws, "ListInstanceProfiles", PathPrefix="/a/", MaxItems=2)
    second = await do(aws, "ListInstanceProfiles", PathPrefix="/a/", MaxItems=2, Marker=first["Marker"])

    names = [[profile["InstanceProfileName"] for profile in page["InstanceProfiles"]] for page in (first, second)]
    assert names == [["b", "C"], ["e"]]
    assert first["InstanceProfiles"][0].keys() == BASE


async def test_one_role_in_a_profile(aws: AwsWorld) -> None:
    role = await make_role(aws)
    await make_role(aws, "other")
    await make(aws)
    await make(aws, "second")

    assert [(await put(aws)).status, (await put(aws, profile="second")).status] == [200, 200]

    (shown,) = (await do(aws, "GetInstanceProfile", InstanceProfileName="node"))["InstanceProfile"]["Roles"]
    assert shown == role
    listed = (await do(aws, "ListInstanceProfilesForRole", RoleName="ci"))["InstanceProfiles"]
    assert [(one["InstanceProfileName"], one["Roles"]) for one in listed] == [("node", [role]), ("second", [role])]
    assert (await do(aws, "ListInstanceProfilesForRole", RoleName="other"))["InstanceProfiles"] == []
    details = (await do(aws, "GetAccountAuthorizationDetails", Filter=["Role"]))["RoleDetailList"]
    profiles = {
        one["RoleName"]: [each["InstanceProfileName"] for each in one["InstanceProfileList"]] for one in details
    }
    assert profiles == {"ci": ["node", "second"], "other": []}
    quota = (409, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    assert refusal(await put(aws)) == refusal(await put(aws, "other")) == quota

    held = await do(aws, "DeleteRole", RoleName="ci")
    assert refusal(held) == (
        409,
        "DeleteConflict",
        "Cannot delete entity, must remove roles from instance profile first.",
    )
    assert refusal(await do(aws, "DeleteInstanceProfile", InstanceProfileName="node")) == refusal(held)
    assert [(await take(aws)).status, (await take(aws, profile="second")).status] == [200, 200]
    assert (await do(aws, "DeleteRole", RoleName="ci")).status == 200
    assert (await do(aws, "DeleteInstanceProfile", InstanceProfileName="node")).status == 200


async def test_what_is_not_there(aws: AwsWorld) -> None:
    await make_role(aws)
    await make(aws)
    no_role = (404, "NoSuchEntity", "The role with name none cannot be found.")

    for move in (put, take):
        assert refusal(await move(aws, profile="none")) == no_profile("none")
        assert refusal(await move(aws, role="none")) == no_role
    assert refusal(await take(aws)) == (404, "NoSuchEntity", "Role ci in Instance Profile node cannot be found.")
    assert refusal(await do(aws, "ListInstanceProfilesForRole", RoleName="none")) == no_role
    assert refusal(await do(aws, "DeleteInstanceProfile", InstanceProfileName="none")) == no_profile("none")


async def test_tags(aws: AwsWorld) -> None:
    one, two = {"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}

    made = await make(aws, Tags=[one])
    await do(aws, "TagInstanceProfile", InstanceProfileName="node", Tags=[two])
    listed = (await do(aws, "ListInstanceProfileTags", InstanceProfileName="node"))["Tags"]
    await do(aws, "UntagInstanceProfile", InstanceProfileName="node", TagKeys=["A"])

    assert (made["Tags"], listed) == ([one], [one, two])
    shown = (await do(aws, "GetInstanceProfile", InstanceProfileName="node"))["InstanceProfile"]
    assert shown["Tags"] == [two]
    for operation, parameters in (
        ("TagInstanceProfile", {"Tags": [one]}),
        ("UntagInstanceProfile", {"TagKeys": ["a"]}),
    ):
        assert refusal(await do(aws, operation, InstanceProfileName="none", **parameters)) == no_profile("none")
    assert refusal(await do(aws, "ListInstanceProfileTags", InstanceProfileName="none")) == no_profile("none")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"InstanceProfileName": "a" * 129},
            (
                "1 validation error detected: Value at 'instanceProfileName' failed to satisfy constraint: Member must "
                "have length less than or equal to 128"
            ),
        ),
        (
            {"InstanceProfileName": "a/b"},
            (
                "The specified value for instanceProfileName is invalid. It must contain only alphanumeric characters "
                "and/or the following: +=,.@_-"
            ),
        ),
    ],
)
async def test_bad_input(aws: AwsWorld, parameters: dict[str, Any], sentence: str) -> None:
    assert refusal(await do(aws, "CreateInstanceProfile", **parameters)) == (400, "ValidationError", sentence)


@pytest.mark.parametrize(
    ("service", "role", "status"),
    [("ec2.amazonaws.com", "ci", 200), ("ecs.amazonaws.com", "ci", 403), (None, "x", 403)],
)
async def test_who_puts_a_role_in_must_pass_it(aws: AwsWorld, service: str | None, role: str, status: int) -> None:
    await make(aws)
    await make_role(aws)
    passing: dict[str, Any] = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/{role}",
    }
    if service:
        passing["Condition"] = {"StringEquals": {"iam:PassedToService": service}}
    adding = {"Effect": "Allow", "Action": "iam:AddRoleToInstanceProfile", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [passing, adding]})
    await do(aws, "CreateUser", UserName="mia")
    await do(aws, "PutUserPolicy", UserName="mia", PolicyName="own", PolicyDocument=text)
    mia = holder(aws, await new_key(aws, "mia"))

    reply = await mia.iam("AddRoleToInstanceProfile", InstanceProfileName="node", RoleName="ci")

    assert reply.status == status, reply.parsed
    if status == 403:
        assert "is not authorized to perform: iam:PassRole on resource: arn:aws:iam::" in reply.message
