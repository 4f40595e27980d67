"""GetAccountAuthorizationDetails: all of an account's IAM in one list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.aws import AwsWorld
from tests.support.iam_rows import decoded, document
from tests.support.registry import HOME

ACCOUNT = HOME.account_id
ADMINISTRATOR = {
    "PolicyName": "AdministratorAccess",
    "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
}
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
TRUST = document("sts:AssumeRole", Principal={"AWS": ACCOUNT}).replace('"Resource": "*", ', "")


@pytest.fixture
async def world(aws: AwsWorld) -> AwsWorld:
    """Two users, a group, a role and a policy with two versions; some have everything and some have nothing."""
    iam, tags = aws.client.iam, [{"Key": "team", "Value": "web"}]
    mine = (await iam("CreatePolicy", PolicyName="Mine", PolicyDocument=document("ecr:*")))["Policy"]["Arn"]
    await iam("CreatePolicyVersion", PolicyArn=mine, PolicyDocument=document("ecr:Get*"))
    await iam("CreateUser", UserName="mia", Path="/a/", Tags=tags, PermissionsBoundary=mine)
    await iam("CreateUser", UserName="ben")
    await iam("CreateGroup", GroupName="team")
    await iam("CreateGroup", GroupName="Art")
    await iam("CreateRole", RoleName="deploy", AssumeRolePolicyDocument=TRUST, Tags=tags)
    for group in ("team", "Art"):
        await iam("AddUserToGroup", GroupName=group, UserName="mia")
    for word, name in (("User", "mia"), ("Group", "team"), ("Role", "deploy")):
        who = {f"{word}Name": name}
        await iam(f"Put{word}Policy", **who, PolicyName="in", PolicyDocument=document(f"ecr:{word}"))
        await iam(f"Attach{word}Policy", **who, PolicyArn=ADMINISTRATOR["PolicyArn"])
    return aws


async def details(aws: AwsWorld, **parameters: Any) -> dict[str, list[dict[str, Any]]]:
    reply = await aws.client.iam("GetAccountAuthorizationDetails", **parameters)
    assert reply["IsTruncated"] is False
    return {name: reply[name] for name in LISTS}


async def test_users(world: AwsWorld) -> None:
    found = await details(world, Filter=["User"])
    ben, mia = found["UserDetailList"]

    assert [found[name] for name in LISTS[1:]] == [[], [], []]
    assert ben.keys() == {
        "Path",
        "UserName",
        "UserId",
        "Arn",
        "CreateDate",
        "GroupList",
        "AttachedManagedPolicies",
        "Tags",
    }
    assert (ben["GroupList"], ben["AttachedManagedPolicies"], ben["Tags"]) == ([], [], [])
    assert (mia["Arn"], mia["GroupList"]) == (f"arn:aws:iam::{ACCOUNT}:user/a/mia", ["Art", "team"])
    assert mia["Tags"] == [{"Key": "team", "Value": "web"}]
    assert mia["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"arn:aws:iam::{ACCOUNT}:policy/Mine"
    (inline,) = mia["UserPolicyList"]
    assert (inline["PolicyName"], decoded(inline["PolicyDocument"])["Statement"][0]["Action"]) == ("in", "ecr:User")
    assert mia["AttachedManagedPolicies"] == [ADMINISTRATOR]


async def test_groups_and_roles(world: AwsWorld) -> None:
    found = await details(world, Filter=["Group", "Role"])
    art, team = found["GroupDetailList"]
    (role,) = found["RoleDetailList"]

    assert (found["UserDetailList"], found["Policies"]) == ([], [])
    assert (art["GroupName"], art["GroupPolicyList"], art["AttachedManagedPolicies"]) == ("Art", [], [])
    assert (team["GroupPolicyList"][0]["PolicyName"], team["AttachedManagedPolicies"]) == ("in", [ADMINISTRATOR])
    assert role.keys() == {
        "Path",
        "RoleName",
        "RoleId",
        "Arn",
        "CreateDate",
        "AssumeRolePolicyDocument",
        "InstanceProfileList",
        "RolePolicyList",
        "AttachedManagedPolicies",
        "Tags",
        "RoleLastUsed",
    }
    assert decoded(role["AssumeRolePolicyDocument"])["Statement"][0]["Action"] == "sts:AssumeRole"
    assert (role["InstanceProfileList"], role["RoleLastUsed"]) == ([], {})
    assert role["RolePolicyList"][0]["PolicyName"] == "in"


async def test_policies(world: AwsWorld) -> None:
    (mine,) = (await details(world, Filter=["LocalManagedPolicy"]))["Policies"]
    of_aws = (await details(world, Filter=["AWSManagedPolicy"]))["Policies"]

    assert (mine["PolicyName"], mine["AttachmentCount"], mine["PermissionsBoundaryUsageCount"]) == ("Mine", 0, 1)
    versions = [(version["VersionId"], version["IsDefaultVersion"]) for version in mine["PolicyVersionList"]]
    assert versions == [("v2", False), ("v1", True)]
    assert decoded(mine["PolicyVersionList"][1]["Document"])["Statement"][0]["Action"] == "ecr:*"
    assert (of_aws[0]["PolicyName"], of_aws[0]["AttachmentCount"]) == ("AdministratorAccess", 3)
    assert [len(policy["PolicyVersionList"]) for policy in of_aws] == [1] * len(of_aws)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
async def test_pages_hold_everything_once(world: AwsWorld, size: int) -> None:
    kinds = ["User", "Group", "Role", "LocalManagedPolicy"]
    whole, marker = await details(world, Filter=kinds), dict[str, str]()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS}
    while True:
        page = await world.client.iam("GetAccountAuthorizationDetails", Filter=kinds, MaxItems=size, **marker)
        for name in LISTS:
            found[name] += page[name]
        if not page["IsTruncated"]:
            break
        assert sum(len(page[name]) for name in LISTS) == size
        marker = {"Marker": page["Marker"]}
    assert found == whole
    assert [len(found[name]) for name in LISTS] == [2, 2, 1, 1]


async def test_markers_are_as_short_as_clients_send_them(sqlite_aws: AwsWorld) -> None:
    found, marker = list[str](), dict[str, str]()
    while True:
        page = await sqlite_aws.client.iam("GetAccountAuthorizationDetails", MaxItems=1, **marker)
        found += [policy["Arn"] for policy in page["Policies"]]
        if not page["IsTruncated"]:
            break
        assert len(page["Marker"]) <= 320
        marker = {"Marker": page["Marker"]}
    assert found == [policy["Arn"] for policy in (await details(sqlite_aws))["Policies"]]


async def test_all_of_it_without_a_filter(sqlite_aws: AwsWorld) -> None:
    found = await details(sqlite_aws)
    assert [len(found[name]) for name in LISTS[:3]] == [0, 0, 0]
    assert len(found["Policies"]) > 10
    reply = await sqlite_aws.client.iam("GetAccountAuthorizationDetails", Filter=["Users"])
    assert reply.code == "ValidationError"
