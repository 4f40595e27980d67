"""Robot tokens on `/v2/`: what they open, what they never open, and what ends them with the next request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from entrepot.domain.bearer_host import BearerHost
from entrepot.domain.robot_token import new_password
from tests.support.aws import AwsWorld, aws_world
from tests.support.database import SqliteAddress
from tests.support.iam_rows import document
from tests.support.registry import HOME, OTHER_ACCOUNT
from tests.support.robot import ROLE, Robot, make_robot, make_role, role_arn, service_of, trust
from tests.support.wire import Answer, Client, basic

IMAGE = "/v2/team/app/manifests/v1"
OTHER_IMAGE = "/v2/other/app/manifests/v1"


@pytest.fixture
async def world(aws: AwsWorld) -> AwsWorld:
    """Two repositories with an image each, and a role that may do everything in ECR."""
    for name in ("team/app", "other/app"):
        await aws.registry.create_repository(name)
        await aws.registry.client.put_image(name, "v1")
    await make_role(aws)
    return aws


async def get(client: Client, path: str = IMAGE, **headers: str) -> Answer:
    return await client.send("GET", path, headers)


async def push(client: Client, name: str = "team/app") -> Answer:
    return await client.send("POST", f"/v2/{name}/blobs/uploads/")


def is_over(answer: Answer) -> bool:
    """Whether a client is told to log in again."""
    message = "Your authorization token has expired. Reauthenticate and try again."
    return (
        answer.status == 401
        and answer.json()["errors"] == [{"code": "DENIED", "message": message}]
        and answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    )


async def test_a_token_that_may_pull(world: AwsWorld) -> None:
    robot = await make_robot(world)
    assert (await get(robot.oci, "/v2/")).status == 200
    assert (await get(robot.oci)).status == 200
    assert (await get(robot.oci, "/v2/team/app/tags/list")).status == 200
    for answer in (await push(robot.oci), await robot.oci.send("DELETE", IMAGE), await get(robot.oci, OTHER_IMAGE)):
        assert (answer.status, answer.codes) == (403, ["DENIED"])
    assert (await get(robot.oci, OTHER_IMAGE)).json()["errors"][0]["message"] == (
        f"User: {robot.arn} is not authorized to perform: ecr:BatchGetImage on resource: "
        f"{HOME.repository_arn('other/app')} because no robot token scope allows the ecr:BatchGetImage action"
    )
    assert (await get(robot.oci, "/v2/_catalog")).status == 403


async def test_a_token_that_may_push(world: AwsWorld) -> None:
    robot = await make_robot(world, actions=["PUSH"])
    await robot.oci.put_image("team/app", "v2", b"another layer")
    assert (await push(robot.oci, "other/app")).status == 403
    assert (await robot.oci.send("DELETE", IMAGE)).status == 403
    both = await make_robot(world, "both", actions=["PULL", "PUSH"])
    assert (await get(both.oci, "/v2/team/app/tags/list")).status == 200
    assert (await push(both.oci)).status == 202


async def test_its_name_stands_for_the_user_as_well(world: AwsWorld) -> None:
    robot = await make_robot(world)
    for user, status in (("AWS", 200), ("ci", 200), ("other", 401), ("", 401), ("aws", 401)):
        client = replace(robot.oci, authorization=basic(robot.made.password, user))
        assert (await get(client)).status == status, user


async def test_the_role_decides_within_the_scope(world: AwsWorld) -> None:
    robot = await make_robot(world, actions=["PULL", "PUSH"])
    assert (await push(robot.oci)).status == 202
    await world.client.iam(
        "PutRolePolicy", RoleName=ROLE, PolicyName="own", PolicyDocument=document("ecr:BatchGetImage")
    )
    assert (await get(robot.oci)).status == 200
    assert (await push(robot.oci)).status == 403
    deny = document("ecr:*", "Deny", Condition={"StringLike": {"aws:userid": "*:robot/ci"}})
    await world.client.iam("PutRolePolicy", RoleName=ROLE, PolicyName="no", PolicyDocument=deny)
    assert (await get(robot.oci)).status == 403
    another = await make_robot(world, "another")
    assert (await get(another.oci)).status == 200


@pytest.mark.parametrize("principal", ["*", role_arn(), {"AWS": HOME.account_id}])
async def test_no_policy_of_a_repository_lifts_it_beyond_its_scope(world: AwsWorld, principal: Any) -> None:
    """A session policy would not limit what a repository grants to everybody."""
    robot = await make_robot(world)
    principal = principal if isinstance(principal, dict) or principal == "*" else {"AWS": principal}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "ecr:*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for name in ("team/app", "other/app"):
        reply = await world.client.ecr("SetRepositoryPolicy", repositoryName=name, policyText=text)
        assert reply.status == 200, reply.parsed
    assert (await get(robot.oci)).status == 200
    assert (await push(robot.oci)).status == 403
    assert (await get(robot.oci, OTHER_IMAGE)).status == 403


async def test_a_boundary_and_a_denial_of_the_repository_hold(world: AwsWorld) -> None:
    robot = await make_robot(world)
    statement = {"Effect": "Deny", "Principal": {"AWS": role_arn()}, "Action": "ecr:BatchGetImage"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    await world.client.ecr("SetRepositoryPolicy", repositoryName="team/app", policyText=text, force=True)
    assert (await get(robot.oci)).status == 403
    await world.client.ecr("DeleteRepositoryPolicy", repositoryName="team/app")
    assert (await get(robot.oci)).status == 200
    made = await world.client.iam("CreatePolicy", PolicyName="fence", PolicyDocument=document("ecr:ListImages"))
    boundary = made["Policy"]["Arn"]
    await world.client.iam("PutRolePermissionsBoundary", RoleName=ROLE, PermissionsBoundary=boundary)
    assert (await get(robot.oci)).status == 403


async def test_nobody_can_be_the_session_of_a_robot(world: AwsWorld) -> None:
    """A policy that names the session `ci` of the role does not mean the robot `ci`, and STS makes none of its name."""
    robot = await make_robot(world)
    named = f"arn:aws:sts::{HOME.account_id}:assumed-role/{ROLE}/ci"
    await world.client.iam("PutRolePolicy", RoleName=ROLE, PolicyName="own", PolicyDocument=document("ecr:ListImages"))
    statement = {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "ecr:BatchGetImage"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    reply = await world.client.ecr("SetRepositoryPolicy", repositoryName="team/app", policyText=text)
    assert reply.status == 200, reply.parsed
    assert (await get(robot.oci)).status == 403
    refused = await world.client.sts("AssumeRole", RoleArn=role_arn(), RoleSessionName="robot/ci")
    assert (refused.status, refused.code) == (400, "ValidationError")


async def test_addresses(world: AwsWorld) -> None:
    elsewhere = await make_robot(world, "elsewhere", addresses=["192.0.2.0/24", "2001:db8::/32"])
    assert (await get(elsewhere.oci)).status == 403
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        sent = "for=192.0.2.7" if header == "Forwarded" else "192.0.2.7"
        assert (await get(elsewhere.oci, **{header: sent})).status == 403
    here = await make_robot(world, "here", addresses=["127.0.0.0/8"])
    assert (await get(here.oci)).status == 200


async def test_it_expires(world: AwsWorld) -> None:
    end = world.registry.clock.now() + timedelta(seconds=600)
    robot = await make_robot(world, expires_at=end)
    assert (await get(robot.oci)).status == 200
    world.registry.clock.advance(601)
    assert is_over(await get(robot.oci))
    assert is_over(await get(robot.oci, "/v2/"))
    again = await make_robot(world)  # one that has expired makes room for another of its name
    assert (await get(again.oci)).status == 200
    assert is_over(await get(robot.oci))


async def revoke(world: AwsWorld) -> None:
    await service_of(world).revoke(HOME, "ci")


async def delete_role(world: AwsWorld) -> None:
    await world.client.iam("DeleteRolePolicy", RoleName=ROLE, PolicyName="own")
    deleted = await world.client.iam("DeleteRole", RoleName=ROLE)
    assert deleted.status == 200, deleted.parsed


async def make_role_anew(world: AwsWorld) -> None:
    await delete_role(world)
    await make_role(world)


async def distrust(world: AwsWorld) -> None:
    text = trust(Condition={"StringLike": {"aws:SourceArn": "arn:aws:entrepot:*:*:robot-token/other"}})
    changed = await world.client.iam("UpdateAssumeRolePolicy", RoleName=ROLE, PolicyDocument=text)
    assert changed.status == 200, changed.parsed


@pytest.mark.parametrize("end", [revoke, delete_role, make_role_anew, distrust])
async def test_what_ends_it_at_once(world: AwsWorld, end: Any) -> None:
    robot = await make_robot(world)
    assert (await get(robot.oci)).status == 200
    await end(world)
    for path in (IMAGE, "/v2/", "/v2/_catalog", "/v2/team/app/tags/list"):
        assert is_over(await get(robot.oci, path)), path
    assert is_over(await push(robot.oci))


async def test_a_role_that_trusts_again_is_enough(world: AwsWorld) -> None:
    robot = await make_robot(world)
    await distrust(world)
    assert is_over(await get(robot.oci))
    await world.client.iam("UpdateAssumeRolePolicy", RoleName=ROLE, PolicyDocument=trust())
    assert (await get(robot.oci)).status == 200


async def test_trust_with_an_end(world: AwsWorld) -> None:
    """Nothing changes in the database when a date comes."""
    end = world.registry.clock.now() + timedelta(minutes=10)
    text = trust(Condition={"DateLessThan": {"aws:CurrentTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}})
    await make_role(world, "short", trusts=text)
    robot = await make_robot(world, role=role_arn("short"))
    assert (await get(robot.oci)).status == 200
    world.registry.clock.advance(601)
    assert is_over(await get(robot.oci))


async def test_the_registry_is_the_token_s_own(world: AwsWorld) -> None:
    robot = await make_robot(world, repositories=["*"])
    host = "{}.dkr.ecr.{}.amazonaws.com"
    assert (await get(robot.oci, Host=host.format(HOME.account_id, "us-east-1"))).status == 200
    assert (await get(robot.oci, Host=host.format(HOME.account_id, "eu-west-1"))).status == 401
    assert (await get(robot.oci, Host=host.format(OTHER_ACCOUNT, "us-east-1"))).status == 403


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
async def test_the_apis_do_not_know_it(world: AwsWorld, scheme: str) -> None:
    robot = await make_robot(world)
    sent = basic(robot.made.password) if scheme == "Basic" else f"Bearer {robot.made.password}"
    for target in ("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", "TrentService.GenerateRandom"):
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target, "Authorization": sent}
        answer = await robot.oci.send("POST", "/", headers, b"{}")
        assert answer.status == 400, answer
        assert answer.json()["__type"] in ("IncompleteSignatureException", "MissingAuthenticationTokenException")
    for key in ((robot.made.token.id, robot.made.password), (robot.made.password, robot.made.password)):
        reply = await replace(world.client, key=key).ecr("DescribeRepositories")
        assert reply.status == 400
        assert reply.code in ("UnrecognizedClientException", "IncompleteSignatureException")


async def test_only_basic_opens(world: AwsWorld) -> None:
    robot = await make_robot(world)
    client = replace(robot.oci, authorization=f"Bearer {robot.made.password}")
    assert (await get(client)).status == 401


async def test_the_last_use_is_noted_and_written(world: AwsWorld) -> None:
    robot = await make_robot(world)
    assert (await service_of(world).describe(HOME, ["ci"]))[0].last_use is None
    await get(robot.oci)
    at = world.registry.clock.now()
    await world.registry.services.robot_login.uses.flush(is_final=True)
    used = (await service_of(world).describe(HOME, ["ci"]))[0].last_use
    assert used is not None
    assert used.address == "127.0.0.1"
    assert abs(used.at - at) < timedelta(seconds=30)
    role = await world.client.iam("GetRole", RoleName=ROLE)
    assert role["Role"]["RoleLastUsed"]["Region"] == HOME.region


@pytest.fixture
async def wary(sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[tuple[AwsWorld, Robot]]:
    """A registry that listens to four false passwords a minute, with a token that may pull."""
    async with aws_world(sqlite_address, tmp_path / "data", failed_logins_per_minute=4) as opened:
        await opened.registry.create_repository("team/app")
        await opened.registry.client.put_image("team/app", "v1")
        await make_role(opened)
        yield opened, await make_robot(opened)


async def test_false_passwords_count_as_failed_logins(wary: tuple[AwsWorld, Robot]) -> None:
    _, robot = wary
    mistyped = robot.made.password[:-1] + ("A" if robot.made.password[-1] != "A" else "B")
    unknown = new_password("A" * 16, bytes(30))
    guessed = new_password(robot.made.token.id, bytes(30))
    for false in (mistyped, unknown, guessed, "entr_"):
        answer = await get(replace(robot.oci, authorization=basic(false)))
        assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"])
    assert (await get(robot.oci)).status == 429


async def test_a_guess_fails_beside_the_token_in_use(wary: tuple[AwsWorld, Robot]) -> None:
    """What the worker remembers opens nothing for another secret."""
    _, robot = wary
    assert (await get(robot.oci)).status == 200
    guessed = new_password(robot.made.token.id, bytes(30))
    assert (await get(replace(robot.oci, authorization=basic(guessed)))).status == 401
    assert (await get(robot.oci)).status == 200


async def test_revoked_tokens_do_not_shut_their_address_out(wary: tuple[AwsWorld, Robot]) -> None:
    """Many programs behind one address may go on with a token that is over; another token works on."""
    world, robot = wary
    other = await make_robot(world, "other")
    await revoke(world)
    for _ in range(9):
        assert is_over(await get(robot.oci))
    assert (await get(other.oci)).status == 200
    world.registry.clock.advance(31 * 24 * 3600)
    assert await service_of(world).purge_ended() == 1
    answer = await get(robot.oci)
    assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"])


async def test_on_bearer_hosts(sqlite_address: SqliteAddress, tmp_path: Path) -> None:
    """`/token/` hands its password back, which then opens what it would with Basic, and no more."""
    host = "public.example"
    hosts = (BearerHost.parse(host),)
    async with aws_world(sqlite_address, tmp_path / "data", bearer_hosts=hosts) as world:
        await world.registry.create_repository("team/app")
        await world.registry.client.put_image("team/app", "v1")
        await make_role(world)
        robot = await make_robot(world)
        named = replace(robot.oci, authorization=basic(robot.made.password, "ci"))
        token = (await get(named, "/token/", Host=host)).json()["token"]
        bearer = replace(robot.oci, authorization=f"Bearer {token}")
        assert (await get(bearer, Host=host)).status == 200
        assert (await bearer.send("POST", "/v2/team/app/blobs/uploads/", {"Host": host})).status == 403
        assert (await get(named, Host=host)).status == 200
        await revoke(world)
        for client, path in ((bearer, IMAGE), (named, "/token/")):
            assert (await get(client, path, Host=host)).status == 401
