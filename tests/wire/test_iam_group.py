"""Groups and their members through the IAM API: what clients see, in AWS's words."""

from __future__ import annotations

from tests.support.aws import AwsWorld
from tests.support.registry import HOME
from tests.wire.test_iam_user import refusal

ACCOUNT = HOME.account_id


def not_found(name: str) -> tuple[int, str, str]:
    return 404, "NoSuchEntity", f"The group with name {name} cannot be found."


async def group_names(aws: AwsWorld, user: str) -> list[str]:
    return [group["GroupName"] for group in (await aws.client.iam("ListGroupsForUser", UserName=user))["Groups"]]


async def member_names(aws: AwsWorld, group: str) -> list[str]:
    return [user["UserName"] for user in (await aws.client.iam("GetGroup", GroupName=group))["Users"]]


async def test_a_group_is_made_found_and_deleted(aws: AwsWorld) -> None:
    made = (await aws.client.iam("CreateGroup", GroupName="readers", Path="/some/location/"))["Group"]

    assert made.keys() == {"Path", "GroupName", "GroupId", "Arn", "CreateDate"}
    assert made["GroupId"].startswith("AGPA")
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/some/location/readers"
    got = await aws.client.iam("GetGroup", GroupName="readers")
    assert (got["Group"], got["Users"], got["IsTruncated"]) == (made, [], False)
    assert (await aws.client.iam("ListGroups"))["Groups"] == [made]
    assert (await aws.client.iam("ListGroups", PathPrefix="/other/"))["Groups"] == []

    assert (await aws.client.iam("DeleteGroup", GroupName="readers")).status == 200
    assert refusal(await aws.client.iam("GetGroup", GroupName="readers")) == not_found("readers")


async def test_a_user_and_a_group_may_have_one_name(aws: AwsWorld) -> None:
    assert (await aws.client.iam("CreateGroup", GroupName="same")).status == 200
    assert (await aws.client.iam("CreateUser", UserName="same")).status == 200


async def test_names_are_taken_in_any_case(aws: AwsWorld) -> None:
    for name in ("one", "two"):
        await aws.client.iam("CreateGroup", GroupName=name)

    again = await aws.client.iam("CreateGroup", GroupName="ONE")
    renamed = await aws.client.iam("UpdateGroup", GroupName="one", NewGroupName="two")

    assert refusal(again) == (409, "EntityAlreadyExists", "Group with name ONE already exists.")
    assert refusal(renamed) == (409, "EntityAlreadyExists", "Group with name two already exists.")


async def test_members_stay_through_a_rename(aws: AwsWorld) -> None:
    made = (await aws.client.iam("CreateGroup", GroupName="one"))["Group"]
    await aws.client.iam("CreateUser", UserName="mia")
    await aws.client.iam("AddUserToGroup", GroupName="one", UserName="mia")

    await aws.client.iam("UpdateGroup", GroupName="one", NewGroupName="two", NewPath="/p/")

    moved = await aws.client.iam("GetGroup", GroupName="two")
    assert moved["Group"]["GroupId"] == made["GroupId"]
    assert moved["Group"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/p/two"
    assert [user["UserName"] for user in moved["Users"]] == ["mia"]
    assert refusal(await aws.client.iam("GetGroup", GroupName="one")) == not_found("one")


async def test_membership(aws: AwsWorld) -> None:
    for group in ("b", "A"):
        await aws.client.iam("CreateGroup", GroupName=group)
    for user in ("mia", "Lea"):
        await aws.client.iam("CreateUser", UserName=user)
        for group in ("b", "A"):
            assert (await aws.client.iam("AddUserToGroup", GroupName=group, UserName=user)).status == 200
    assert (await aws.client.iam("AddUserToGroup", GroupName="b", UserName="mia")).status == 200

    assert await group_names(aws, "mia") == ["A", "b"]
    assert await member_names(aws, "b") == ["Lea", "mia"]
    first = await aws.client.iam("GetGroup", GroupName="b", MaxItems=1)
    second = await aws.client.iam("GetGroup", GroupName="b", MaxItems=1, Marker=first["Marker"])
    assert [user["UserName"] for user in first["Users"] + second["Users"]] == ["Lea", "mia"]
    assert (first["IsTruncated"], second["IsTruncated"]) == (True, False)
    paged = await aws.client.iam("ListGroupsForUser", UserName="mia", MaxItems=1)
    rest = await aws.client.iam("ListGroupsForUser", UserName="mia", MaxItems=1, Marker=paged["Marker"])
    assert [group["GroupName"] for group in paged["Groups"] + rest["Groups"]] == ["A", "b"]

    assert (await aws.client.iam("RemoveUserFromGroup", GroupName="b", UserName="mia")).status == 200
    assert (await aws.client.iam("RemoveUserFromGroup", GroupName="b", UserName="mia")).status == 200
    assert await group_names(aws, "mia") == ["A"]
    assert await member_names(aws, "b") == ["Lea"]


async def test_the_user_is_looked_for_first(aws: AwsWorld) -> None:
    await aws.client.iam("CreateUser", UserName="mia")
    await aws.client.iam("CreateGroup", GroupName="readers")
    nobody = (404, "NoSuchEntity", "The user with name nobody cannot be found.")

    for operation in ("AddUserToGroup", "RemoveUserFromGroup"):
        for user, group, expected in [
            ("nobody", "nothing", nobody),
            ("nobody", "readers", nobody),
            ("mia", "nothing", not_found("nothing")),
        ]:
            assert refusal(await aws.client.iam(operation, UserName=user, GroupName=group)) == expected


async def test_a_user_is_in_ten_groups_at_most(aws: AwsWorld) -> None:
    await aws.client.iam("CreateUser", UserName="mia")
    for number in range(11):
        await aws.client.iam("CreateGroup", GroupName=f"g{number}")
        reply = await aws.client.iam("AddUserToGroup", GroupName=f"g{number}", UserName="mia")

    assert refusal(reply) == (409, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
    assert (await aws.client.iam("AddUserToGroup", GroupName="g0", UserName="mia")).status == 200


async def test_groups_with_members_and_members_of_groups_stay(aws: AwsWorld) -> None:
    await aws.client.iam("CreateUser", UserName="mia")
    await aws.client.iam("CreateGroup", GroupName="readers")
    await aws.client.iam("AddUserToGroup", GroupName="readers", UserName="mia")
    conflict = (409, "DeleteConflict", "Cannot delete entity, must remove users from group first.")

    assert refusal(await aws.client.iam("DeleteGroup", GroupName="readers")) == conflict
    assert refusal(await aws.client.iam("DeleteUser", UserName="mia")) == conflict
    await aws.client.iam("RemoveUserFromGroup", GroupName="readers", UserName="mia")
    assert (await aws.client.iam("DeleteGroup", GroupName="readers")).status == 200
    assert (await aws.client.iam("DeleteUser", UserName="mia")).status == 200


async def test_what_is_not_there_cannot_be_changed(aws: AwsWorld) -> None:
    await aws.stranger.iam("CreateGroup", GroupName="theirs")

    for name in ("none", "theirs"):
        for operation in ("UpdateGroup", "DeleteGroup", "GetGroup"):
            assert refusal(await aws.client.iam(operation, GroupName=name)) == not_found(name)
    reply = await aws.client.iam("ListGroupsForUser", UserName="nobody")
    assert refusal(reply) == (404, "NoSuchEntity", "The user with name nobody cannot be found.")
