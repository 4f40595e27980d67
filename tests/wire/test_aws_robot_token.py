"""Robot tokens through entrepot's own API: made, listed, deleted, and by whom."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import document
from tests.support.person import Person, make_user
from tests.support.registry import HOME, OTHER_ACCOUNT
from tests.support.robot import make_role, role_arn, trust
from tests.support.wire import basic

ARN = f"arn:aws:entrepot:{HOME.region}:{HOME.account_id}:robot-token/"
GIVEN: dict[str, Any] = {"name": "ci", "roleArn": role_arn(), "repositories": ["team/*"], "actions": ["PULL"]}


async def create(world: AwsWorld | Person, **members: Any) -> Reply:
    client = world.client if isinstance(world, AwsWorld) else world.aws
    return await client.entrepot("CreateRobotToken", **(GIVEN | members))


@pytest.fixture
async def world(aws: AwsWorld) -> AwsWorld:
    """With a role that trusts robot tokens, and a repository."""
    await make_role(aws)
    await aws.create("team/app")
    return aws


async def test_made_listed_and_deleted(world: AwsWorld) -> None:
    end = world.registry.clock.now().replace(microsecond=0) + timedelta(days=90)
    made = await create(
        world, actions=["PUSH", "PULL"], addresses=["127.0.0.0/8"], expiresAt=end.timestamp(), unknown="ignored"
    )
    token, password = made["robotToken"], made["password"]
    assert token["arn"] == ARN + "ci"
    assert password.startswith(f"entr_{token['tokenId']}")
    assert (token["name"], token["roleArn"], token["repositories"]) == ("ci", role_arn(), ["team/*"])
    assert (token["actions"], token["addresses"], token["status"]) == (["PULL", "PUSH"], ["127.0.0.0/8"], "ACTIVE")
    assert (token["expiresAt"], token["createdBy"]) == (end, f"arn:aws:iam::{HOME.account_id}:root")
    assert "lastUsedAt" not in token
    found = await world.client.entrepot("DescribeRobotTokens", names=["ci"])
    assert found["robotTokens"] == [token]
    assert password not in json.dumps(found.parsed, default=str)

    client = replace(world.registry.client, authorization=basic(password))
    await client.put_image("team/app", "v1")
    await world.registry.services.robot_login.uses.flush(is_final=True)
    used = (await world.client.entrepot("DescribeRobotTokens"))["robotTokens"][0]
    assert used["lastUsedAddress"] == "127.0.0.1"
    assert used["lastUsedAt"] >= token["createdAt"]

    assert (await world.client.entrepot("DeleteRobotToken", name="ci"))["robotToken"] == used
    assert (await client.send("GET", "/v2/team/app/manifests/v1")).status == 401
    for operation, given in (("DeleteRobotToken", {"name": "ci"}), ("DescribeRobotTokens", {"names": ["ci"]})):
        gone = await world.client.entrepot(operation, **given)
        assert (gone.status, gone.code, gone.message) == (
            400,
            "RobotTokenNotFoundException",
            f"The robot token with name 'ci' does not exist in the registry with id '{HOME.account_id}'",
        )
    assert (await world.client.entrepot("DescribeRobotTokens"))["robotTokens"] == []


async def test_a_name_is_taken_once_in_a_region(world: AwsWorld) -> None:
    first = await create(world)
    again = await create(world)
    assert (again.status, again.code) == (400, "RobotTokenAlreadyExistsException")
    assert again.message == (
        f"The robot token with name 'ci' already exists in the registry with id '{HOME.account_id}'"
    )
    elsewhere = await replace(world.client, region="eu-west-1").entrepot("CreateRobotToken", **GIVEN)
    assert elsewhere["robotToken"]["arn"] == f"arn:aws:entrepot:eu-west-1:{HOME.account_id}:robot-token/ci"
    assert (await create(world, name="CI")).status == 200  # names differ by case
    assert first["password"] != elsewhere["password"]


async def test_pages(world: AwsWorld) -> None:
    names = [f"ci-{number}" for number in range(5)]
    for name in names:
        await create(world, name=name)
    found, token = [], None
    while True:
        page = await world.client.entrepot(
            "DescribeRobotTokens", maxResults=2, **({} if token is None else {"nextToken": token})
        )
        found += [one["name"] for one in page["robotTokens"]]
        if (token := page.parsed.get("nextToken")) is None:
            break
    assert found == names
    wrong = await world.client.entrepot("DescribeRobotTokens", nextToken="x")
    assert (wrong.code, "nextToken" in wrong.message) == ("InvalidParameterException", True)
    both = await world.client.entrepot("DescribeRobotTokens", names=["ci-0"], maxResults=2)
    assert both.code == "InvalidParameterException"


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"addresses": ["10.0.0.1/8"]}, "InvalidParameterException", "'addresses.1.member'"),
        ({"addresses": ["10.0.0.0/8", "300.1.1.1"]}, "InvalidParameterException", "'addresses.2.member'"),
        ({"repositories": ["Team/*"]}, "InvalidParameterException", "'repositories'"),
        ({"repositories": ["${aws:username}"]}, "InvalidParameterException", "'repositories'"),
        ({"repositories": ["team/?"]}, "InvalidParameterException", "'repositories'"),
        ({"repositories": []}, "InvalidParameterException", "'repositories'"),
        ({"actions": ["DELETE"]}, "InvalidParameterException", "'actions'"),
        ({"actions": []}, "InvalidParameterException", "'actions'"),
        ({"name": "a b"}, "InvalidParameterException", "'name'"),
        ({"name": "../x"}, "InvalidParameterException", "'name'"),
        ({"roleArn": f"arn:aws:iam::{HOME.account_id}:user/deployer"}, "InvalidParameterException", "'roleArn'"),
        ({"roleArn": role_arn("none")}, "InvalidRoleException", "it does not exist"),
        ({"roleArn": role_arn("wary")}, "InvalidRoleException", "does not let robot-tokens.entrepot assume it"),
        ({"expiresAt": 1_000_000_000}, "InvalidParameterException", "must be in the future"),
        ({"expiresAt": 99_999_999_999}, "InvalidParameterException", "at most 3660 days"),
        ({"expiresAt": "tomorrow"}, "SerializationException", "timestamp"),
        ({"roleArn": role_arn(account_id=OTHER_ACCOUNT)}, "AccessDeniedException", "iam:PassRole"),
    ],
)
async def test_what_is_refused(sqlite_aws: AwsWorld, members: dict[str, Any], code: str, words: str) -> None:
    await make_role(sqlite_aws)
    trusts_others = json.loads(trust())
    trusts_others["Statement"][0]["Principal"] = {"Service": "ecs-tasks.amazonaws.com"}
    await make_role(sqlite_aws, "wary", trusts=json.dumps(trusts_others))
    reply = await create(sqlite_aws, **members)
    assert (reply.status, reply.code) == (400, code), reply.parsed
    assert words in reply.message
    assert (await sqlite_aws.client.entrepot("DescribeRobotTokens"))["robotTokens"] == []


def allowing(action: str, resource: str = "*", **condition: Any) -> str:
    members: dict[str, Any] = {"Resource": resource} | ({"Condition": condition} if condition else {})
    return document(action, **members)


async def test_nobody_gets_a_role_that_he_may_not_pass(world: AwsWorld) -> None:
    """Who may make tokens gets nothing of a role, who may pass roles to other services neither."""
    ana = await make_user(world, "ana")
    other: dict[str, Any] = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    for texts in (
        [allowing("entrepot:*")],
        [allowing("iam:PassRole")],
        [allowing("entrepot:*"), allowing("iam:PassRole", role_arn("another"))],
        [allowing("entrepot:*"), allowing("iam:PassRole", **other)],
        [allowing("entrepot:*", ARN + "other"), allowing("iam:PassRole")],
    ):
        await ana.have(*texts)
        refused = await create(ana)
        assert (refused.status, refused.code) == (400, "AccessDeniedException"), texts
    await ana.have(allowing("entrepot:CreateRobotToken", ARN + "ci"), allowing("iam:PassRole", role_arn()))
    made = await create(ana)
    assert made["robotToken"]["createdBy"] == f"arn:aws:iam::{HOME.account_id}:user/ana"


async def test_a_denial_is_the_same_whether_the_role_exists(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    await ana.have(allowing("entrepot:*"))
    denials = [
        (await create(ana, roleArn=role_arn(name))).message.replace(name, "ROLE") for name in ("deployer", "nobody")
    ]
    assert denials[0] == denials[1]
    assert denials[0] == (
        f"User: arn:aws:iam::{HOME.account_id}:user/ana is not authorized to perform: iam:PassRole on resource: "
        f"{role_arn('ROLE')} because no identity-based policy allows the iam:PassRole action"
    )


async def test_names_decide_what_may_be_seen_and_deleted(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    for name in ("ci", "cd"):
        await create(world, name=name)
    await ana.have(allowing("entrepot:*", ARN + "ci"))
    assert (await ana.aws.entrepot("DescribeRobotTokens", names=["ci"])).status == 200
    for operation, given in (
        ("DescribeRobotTokens", {"names": ["ci", "cd"]}),
        ("DescribeRobotTokens", {}),
        ("DeleteRobotToken", {"name": "cd"}),
        ("DeleteRobotToken", {"name": "none"}),
    ):
        assert (await ana.aws.entrepot(operation, **given)).code == "AccessDeniedException", (operation, given)
    assert (await ana.aws.entrepot("DeleteRobotToken", name="ci")).status == 200


async def test_other_accounts_have_their_own(world: AwsWorld) -> None:
    await create(world)
    assert (await world.stranger.entrepot("DescribeRobotTokens"))["robotTokens"] == []
    gone = await world.stranger.entrepot("DeleteRobotToken", name="ci")
    assert gone.code == "RobotTokenNotFoundException"
    assert (await world.client.entrepot("DescribeRobotTokens", names=["ci"])).status == 200


async def test_policies_can_speak_of_robot_tokens(world: AwsWorld) -> None:
    """As managed policies, with all checks of documents."""
    text = document(["entrepot:CreateRobotToken", "entrepot:Describe*"], Resource=ARN + "team-*")
    made = await world.client.iam("CreatePolicy", PolicyName="robots", PolicyDocument=text)
    assert made.status == 200, made.parsed
