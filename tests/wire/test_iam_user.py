"""Users through the IAM API: what clients see, in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.registry import HOME

ACCOUNT = HOME.account_id
PATHS = "It must begin and end with / and contain only alphanumeric characters and/or / characters."
PATTERN = r"satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]"
PREFIXES = "It must begin with the / character and contain only alphanumeric characters and/or / characters."
NAMES = "It must contain only alphanumeric characters and/or the following: +=,.@_-"


def refusal(reply: Reply) -> tuple[int, str | None, str]:
    assert reply.parsed["Error"]["Type"] == "Sender"
    return reply.status, reply.code, reply.message


def not_found(name: str) -> tuple[int, str, str]:
    return 404, "NoSuchEntity", f"The user with name {name} cannot be found."


def taken(name: str) -> tuple[int, str, str]:
    return 409, "EntityAlreadyExists", f"User with name {name} already exists."


async def test_a_user_is_made_found_and_deleted(aws: AwsWorld) -> None:
    made = (await aws.client.iam("CreateUser", UserName="mia"))["User"]

    assert made.keys() == {"Path", "UserName", "UserId", "Arn", "CreateDate"}
    assert (made["Path"], made["UserName"]) == ("/", "mia")
    assert made["UserId"].startswith("AIDA")
    assert len(made["UserId"]) == 21
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/mia"
    assert made["CreateDate"].microsecond == 0
    assert (await aws.client.iam("GetUser", UserName="MIA"))["User"] == made
    listed = await aws.client.iam("ListUsers")
    assert (listed["Users"], listed["IsTruncated"]) == ([made], False)
    assert "Marker" not in listed.parsed

    assert (await aws.client.iam("DeleteUser", UserName="mia")).status == 200
    assert refusal(await aws.client.iam("GetUser", UserName="mia")) == not_found("mia")
    assert (await aws.client.iam("ListUsers"))["Users"] == []


async def test_a_path_is_part_of_the_arn_and_of_lists(aws: AwsWorld) -> None:
    for path, name in [("/", "root-ish"), ("/a/", "one"), ("/a/b/", "two"), ("/ab/", "three")]:
        await aws.client.iam("CreateUser", UserName=name, Path=path)

    one = (await aws.client.iam("GetUser", UserName="one"))["User"]
    assert (one["Path"], one["Arn"]) == ("/a/", f"arn:aws:iam::{ACCOUNT}:user/a/one")
    for prefix, names in {
        "/": ["one", "root-ish", "three", "two"],
        "/a": ["one", "three", "two"],
        "/a/": ["one", "two"],
        "/a/b/": ["two"],
        "/none/": [],
    }.items():
        listed = await aws.client.iam("ListUsers", PathPrefix=prefix)
        assert [user["UserName"] for user in listed["Users"]] == names, prefix


async def test_tags_and_boundary_show_on_one_user_and_not_in_lists(aws: AwsWorld) -> None:
    boundary = "arn:aws:iam::aws:policy/AdministratorAccess"
    tags = [{"Key": "Environment", "Value": "Test"}, {"Key": "Team", "Value": ""}]
    made = (await aws.client.iam("CreateUser", UserName="mia", Tags=tags, PermissionsBoundary=boundary))["User"]

    assert made["Tags"] == tags
    assert made["PermissionsBoundary"] == {
        "PermissionsBoundaryType": "Policy",
        "PermissionsBoundaryArn": boundary,
    }
    assert (await aws.client.iam("GetUser", UserName="mia"))["User"] == made
    (listed,) = (await aws.client.iam("ListUsers"))["Users"]
    assert listed.keys() == {"Path", "UserName", "UserId", "Arn", "CreateDate"}


async def test_a_boundary_that_does_not_exist_makes_nobody(aws: AwsWorld) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/none"
    reply = await aws.client.iam("CreateUser", UserName="mia", PermissionsBoundary=boundary)

    assert refusal(reply) == (
        404,
        "NoSuchEntity",
        f"Scope ARN: {boundary} does not exist or is not attachable.",
    )
    assert refusal(await aws.client.iam("GetUser", UserName="mia")) == not_found("mia")


async def test_names_are_taken_in_any_case(aws: AwsWorld) -> None:
    await aws.client.iam("CreateUser", UserName="mia")
    await aws.client.iam("CreateUser", UserName="zoe")

    assert refusal(await aws.client.iam("CreateUser", UserName="mia")) == taken("mia")
    assert refusal(await aws.client.iam("CreateUser", UserName="Mia", Path="/b/")) == taken("Mia")
    assert refusal(await aws.client.iam("UpdateUser", UserName="mia", NewUserName="ZOE")) == taken("ZOE")
    assert (await aws.stranger.iam("CreateUser", UserName="mia")).status == 200


async def test_a_rename_keeps_the_user(aws: AwsWorld) -> None:
    made = (await aws.client.iam("CreateUser", UserName="mia"))["User"]

    assert (await aws.client.iam("UpdateUser", UserName="mia", NewUserName="Mia", NewPath="/new/")).status == 200
    assert (await aws.client.iam("UpdateUser", UserName="mia")).status == 200
    moved = (await aws.client.iam("GetUser", UserName="mia"))["User"]
    assert moved == made | {"UserName": "Mia", "Path": "/new/", "Arn": f"arn:aws:iam::{ACCOUNT}:user/new/Mia"}
    await aws.client.iam("UpdateUser", UserName="mia", NewUserName="mina")
    assert refusal(await aws.client.iam("GetUser", UserName="mia")) == not_found("mia")
    assert (await aws.client.iam("GetUser", UserName="mina"))["User"]["UserId"] == made["UserId"]


async def test_accounts_see_their_own_users_only(aws: AwsWorld) -> None:
    await aws.stranger.iam("CreateUser", UserName="mia")

    assert (await aws.client.iam("ListUsers"))["Users"] == []
    for operation in ("GetUser", "UpdateUser", "DeleteUser"):
        assert refusal(await aws.client.iam(operation, UserName="mia")) == not_found("mia"), operation


async def test_root_has_no_name(aws: AwsWorld) -> None:
    reply = await aws.client.iam_form("GetUser")

    assert reply["User"].keys() == {"UserId", "Arn", "CreateDate"}
    assert (reply["User"]["UserId"], reply["User"]["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


async def test_pages_of_users(aws: AwsWorld) -> None:
    names = [f"user-{number}" for number in range(5)]
    for name in reversed(names):
        await aws.client.iam("CreateUser", UserName=name)

    for size in (1, 2, 3, 5, 100):
        assert await walk(aws, size) == names


async def walk(aws: AwsWorld, size: int) -> list[str]:
    """All names, page by page."""
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        reply = await aws.client.iam("ListUsers", MaxItems=size, **marker)
        assert len(reply["Users"]) <= size
        seen += [user["UserName"] for user in reply["Users"]]
        if not reply["IsTruncated"]:
            assert "Marker" not in reply.parsed
            return seen
        assert len(reply["Marker"]) <= 320
        marker = {"Marker": reply["Marker"]}


async def test_a_page_has_a_hundred_unless_told_otherwise(sqlite_aws: AwsWorld) -> None:
    for number in range(101):
        await sqlite_aws.client.iam("CreateUser", UserName=f"u{number:03}")

    first = await sqlite_aws.client.iam("ListUsers")
    second = await sqlite_aws.client.iam("ListUsers", Marker=first["Marker"])

    assert (len(first["Users"]), first["IsTruncated"]) == (100, True)
    assert [user["UserName"] for user in second["Users"]] == ["u100"]


async def test_a_marker_belongs_to_its_list(aws: AwsWorld) -> None:
    for name in ("a", "b"):
        await aws.client.iam("CreateUser", UserName=name)
    marker = (await aws.client.iam("ListUsers", MaxItems=1))["Marker"]

    wrong: list[tuple[str, dict[str, Any]]] = [
        ("ListUsers", {"Marker": "nonsense"}),
        ("ListUsers", {"Marker": marker, "PathPrefix": "/a"}),
        ("ListGroups", {"Marker": marker}),
    ]
    for operation, parameters in wrong:
        assert refusal(await aws.client.iam(operation, **parameters)) == (400, "ValidationError", "Invalid Marker.")
    assert (await aws.client.iam("ListUsers", MaxItems=7, Marker=marker)).status == 200
    assert (await aws.stranger.iam("ListUsers", Marker=marker)).status == 400


def tagged(*keys: str, value: str = "") -> dict[str, Any]:
    return {"UserName": "mia", "Tags": [{"Key": key, "Value": value} for key in keys]}


@pytest.mark.parametrize(
    ("operation", "parameters", "member", "rule"),
    [
        ("CreateUser", {}, "userName", "not be null"),
        ("CreateUser", {"UserName": "a" * 65}, "userName", "have length less than or equal to 64"),
        ("GetUser", {"UserName": "a" * 129}, "userName", "have length less than or equal to 128"),
        (
            "CreateUser",
            {"UserName": "a", "Path": "/" + "a" * 511 + "/"},
            "path",
            "have length less than or equal to 512",
        ),
        ("ListUsers", {"MaxItems": 0}, "maxItems", "have value greater than or equal to 1"),
        ("ListUsers", {"MaxItems": 1001}, "maxItems", "have value less than or equal to 1000"),
        ("CreateUser", tagged("k" * 129), "tags.1.member.key", "have length less than or equal to 128"),
        ("CreateUser", tagged("k", value="v" * 257), "tags.1.member.value", "have length less than or equal to 256"),
        ("CreateUser", tagged("good", "bad*"), "tags.2.member.key", f"{PATTERN}+"),
        ("CreateUser", tagged("k", value="bad*"), "tags.1.member.value", f"{PATTERN}*"),
        ("CreateUser", tagged(*(f"k{n}" for n in range(51))), "tags", "have length less than or equal to 50"),
    ],
)
async def test_broken_rules(
    sqlite_aws: AwsWorld, operation: str, parameters: dict[str, Any], member: str, rule: str
) -> None:
    reply = await sqlite_aws.client.iam(operation, **parameters)

    sentence = f"1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {rule}"
    assert refusal(reply) == (400, "ValidationError", sentence)


@pytest.mark.parametrize(
    ("operation", "parameters", "member", "rule"),
    [
        ("CreateUser", {"UserName": "bad/name"}, "userName", NAMES),
        ("CreateUser", {"UserName": "Mía"}, "userName", NAMES),
        ("CreateUser", {"UserName": ""}, "userName", NAMES),
        ("GetUser", {"UserName": ""}, "userName", NAMES),
        ("UpdateUser", {"UserName": "a", "NewUserName": "b c"}, "newUserName", NAMES),
        ("UpdateUser", {"UserName": "a", "NewPath": ""}, "newPath", PATHS),
        ("CreateUser", {"UserName": "a", "Path": "bad"}, "path", PATHS),
        ("CreateUser", {"UserName": "a", "Path": "/bad"}, "path", PATHS),
        ("ListUsers", {"PathPrefix": "bad"}, "pathPrefix", PREFIXES),
    ],
)
async def test_names_and_paths_that_are_none(
    sqlite_aws: AwsWorld, operation: str, parameters: dict[str, Any], member: str, rule: str
) -> None:
    reply = await sqlite_aws.client.iam(operation, **parameters)

    assert refusal(reply) == (400, "ValidationError", f"The specified value for {member} is invalid. {rule}")


@pytest.mark.parametrize("keys", [("k", "k"), ("Team", "team")])
async def test_tag_keys_differ_by_more_than_case(sqlite_aws: AwsWorld, keys: tuple[str, str]) -> None:
    tags = [{"Key": key, "Value": "v"} for key in keys]
    reply = await sqlite_aws.client.iam("CreateUser", UserName="mia", Tags=tags)

    assert refusal(reply) == (
        400,
        "InvalidInput",
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    )
    assert (await sqlite_aws.client.iam("ListUsers"))["Users"] == []
