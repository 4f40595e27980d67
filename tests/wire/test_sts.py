"""Sessions over the wire: STS gives temporary keys, and every service takes them for what they are."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from sqlalchemy import Connection

from entrepot.domain.iam import EntityKind
from entrepot.store.metadata.iam_entity import find_entity
from entrepot.store.metadata.iam_role import update_trust
from tests.support.aws import AwsClient, AwsWorld, Reply
from tests.support.iam_rows import document, put_entity, put_inline, put_key, put_role
from tests.support.registry import HOME

ROLE = f"arn:aws:iam::{HOME.account_id}:role/ci/deploy"
SESSION = f"arn:aws:sts::{HOME.account_id}:assumed-role/deploy/build-7"


@pytest.fixture
async def user(aws: AwsWorld) -> AwsClient:
    """The user `mia`, who may assume the role `/ci/deploy` for two hours."""
    keys = aws.registry.services.key

    def make(connection: Connection) -> tuple[str, str]:
        mia = put_entity(connection, EntityKind.USER, "mia")
        put_role(connection, "deploy", mia, path="/ci/", seconds_max=7200)
        return put_key(connection, keys, mia)

    return replace(aws.client, key=await aws.registry.database.write(make))


async def assume(client: AwsClient, **parameters: Any) -> Reply:
    return await client.sts("AssumeRole", **({"RoleArn": ROLE, "RoleSessionName": "build-7"} | parameters))


def holder_of(client: AwsClient, reply: Reply) -> AwsClient:
    """A client with the keys of an answer."""
    keys = reply["Credentials"]
    return replace(client, key=(keys["AccessKeyId"], keys["SecretAccessKey"]), token=keys["SessionToken"])


async def test_a_role_is_assumed(aws: AwsWorld, user: AwsClient) -> None:
    before = aws.registry.clock.now()

    reply = await assume(user, DurationSeconds=7200)

    keys = reply["Credentials"]
    assert (keys["AccessKeyId"][:4], len(keys["AccessKeyId"]), len(keys["SecretAccessKey"])) == ("ASIA", 20, 40)
    assert keys["Expiration"] - before == pytest.approx(timedelta(hours=2), abs=timedelta(seconds=30))
    assert reply["AssumedRoleUser"] == {"AssumedRoleId": "AROADEPLOY00000000000:build-7", "Arn": SESSION}
    assert set(reply.parsed) == {"Credentials", "AssumedRoleUser", "ResponseMetadata"}


async def test_everything_that_can_be_asked_for(user: AwsClient) -> None:
    reply = await assume(
        user,
        Policy=document(),
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}],
        Tags=[{"Key": "team", "Value": "web"}, {"Key": "none", "Value": ""}],
        TransitiveTagKeys=["team"],
        ExternalId="123",
        SourceIdentity="mia",
        MinimumSessionTokenSize=1024,
    )

    assert reply["SourceIdentity"] == "mia"
    assert 0 < reply["PackedPolicySize"] < 20
    assert (len(reply["Credentials"]["SessionToken"]), reply["SessionTokenSize"]) == (1024, 1024)
    assert reply["SessionTokenUtilization"] == 25


async def test_whoever_holds_the_keys_is_the_session(user: AwsClient) -> None:
    holder = holder_of(user, await assume(user))

    who = await holder.sts("GetCallerIdentity")

    assert who["Arn"] == SESSION
    assert who["Account"] == HOME.account_id
    assert who["UserId"] == "AROADEPLOY00000000000:build-7"


async def test_keys_without_their_token_or_after_their_end(aws: AwsWorld, user: AwsClient) -> None:
    holder = holder_of(user, await assume(user))

    without = await replace(holder, token=None).sts("GetCallerIdentity")
    foreign = await replace(holder, token="x" * 356).sts("GetCallerIdentity")
    aws.registry.clock.advance(3601)
    late = await holder.sts("GetCallerIdentity")

    assert [(reply.status, reply.code) for reply in (without, foreign, late)] == [
        (403, "InvalidClientTokenId"),
        (403, "InvalidClientTokenId"),
        (403, "ExpiredToken"),
    ]


async def test_a_chain(aws: AwsWorld, user: AwsClient) -> None:
    first = await assume(user, Tags=[{"Key": "team", "Value": "web"}], TransitiveTagKeys=["team"], SourceIdentity="mia")
    holder = holder_of(user, first)

    second = await assume(holder, RoleSessionName="again")
    longer = await assume(holder, DurationSeconds=3601)
    other = await assume(holder, Tags=[{"Key": "TEAM", "Value": "db"}])

    assert second["SourceIdentity"] == "mia"
    key = await aws.registry.services.identity.find_access_key(second["Credentials"]["AccessKeyId"])
    assert key is not None
    assert key.session is not None
    assert (key.session.tags, key.session.is_chained) == ({"team": "web"}, True)
    assert (longer.status, longer.code) == (400, "ValidationError")
    assert longer.message == (
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    )
    assert (other.status, other.code) == (400, "InvalidParameterValue")


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"RoleArn": "nothing-valid-in-here"}, "ValidationError", "nothing-valid-in-here is invalid"),
        ({"RoleArn": "arn::b:::something/test-role"}, "ValidationError", "arn::b:::something/test-role is invalid"),
        ({"RoleArn": "arn:a::::something/test-role"}, "ValidationError", "arn:a::::something/test-role is invalid"),
        ({"RoleArn": "arn:a:::something/test-role"}, "ValidationError", "arn:a:::something/test-role is invalid"),
        ({"RoleArn": "arn:a:a::aaaaaaaaaa:"}, "ValidationError", "arn:a:a::aaaaaaaaaa: is invalid"),
        ({"RoleArn": f"arn:aws:iam::{HOME.account_id}:user/mia"}, "ValidationError", "Request ARN is invalid"),
        ({"Policy": "{}"}, "MalformedPolicyDocument", "Syntax errors in policy."),
        (
            {"Policy": document(Sid="a" * 2048)},
            "PackedPolicyTooLarge",
            "Packed policy consumes 106% of allotted space, please use smaller policy.",
        ),
        (
            {"DurationSeconds": 7201},
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
        (
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            {"TransitiveTagKeys": ["a"]},
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/none"}]},
            "ValidationError",
            "The specified managed policy arn:aws:iam::aws:policy/none does not exist.",
        ),
    ],
)
async def test_what_cannot_be_asked_for(user: AwsClient, parameters: dict[str, Any], code: str, message: str) -> None:
    reply = await assume(user, **parameters)

    assert (reply.status, reply.code, reply.message) == (400, code, message)


@pytest.mark.parametrize(
    ("parameters", "member"),
    [
        ({"DurationSeconds": 899}, "durationSeconds"),
        ({"DurationSeconds": 43_201}, "durationSeconds"),
        ({"RoleSessionName": "a"}, "roleSessionName"),
        ({"RoleSessionName": "a:b"}, "roleSessionName"),
        ({"Tags": [{"Key": str(number), "Value": ""} for number in range(51)]}, "tags"),
        ({"Tags": [{"Key": "a"}]}, "tags"),
        ({"ExternalId": "a"}, "externalId"),
        ({"SourceIdentity": "a"}, "sourceIdentity"),
        ({"MinimumSessionTokenSize": 4097}, "minimumSessionTokenSize"),
    ],
)
async def test_input_that_no_shape_allows(user: AwsClient, parameters: dict[str, Any], member: str) -> None:
    reply = await assume(user, **parameters)

    assert (reply.status, reply.code) == (400, "ValidationError")
    assert member.lower() in reply.message.lower()


async def test_who_may_not(aws: AwsWorld, user: AwsClient) -> None:
    root = await assume(aws.client)
    nowhere = await assume(user, RoleArn=f"{ROLE}er")
    device = await assume(user, SerialNumber="arn:aws:iam::1:mfa/x", TokenCode="123456")

    assert [(reply.status, reply.code) for reply in (root, nowhere, device)] == [(403, "AccessDenied")] * 3
    assert root.message == "Roles may not be assumed by root accounts."
    assert f"is not authorized to perform: sts:AssumeRole on resource: {ROLE}er" in nowhere.message
    assert "MultiFactorAuthentication failed" in device.message


async def test_what_a_session_hands_on_needs_permission_too(aws: AwsWorld, user: AwsClient) -> None:
    """A role that may be assumed, but not with tags and not with a source identity."""
    document_of = {"Effect": "Allow", "Principal": {"AWS": HOME.account_id}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [document_of]})
    allowed = document("sts:AssumeRole")

    def change(connection: Connection) -> None:
        role = put_role(connection, "next")
        update_trust(connection, role.id, trust, {})
        deploy = find_entity(connection, HOME.account_id, EntityKind.ROLE, "deploy")
        assert deploy is not None
        put_inline(connection, deploy, "next", allowed)

    await aws.registry.database.write(change)
    following = f"arn:aws:iam::{HOME.account_id}:role/next"
    tagged = await assume(user, Tags=[{"Key": "team", "Value": "web"}], TransitiveTagKeys=["team"])
    kept = await assume(user, Tags=[{"Key": "team", "Value": "web"}])
    named = await assume(user, SourceIdentity="mia")

    replies = [await assume(holder_of(user, first), RoleArn=following) for first in (tagged, kept, named)]

    assert [reply.code for reply in replies] == ["AccessDenied", None, "AccessDenied"]
    assert "not authorized to perform: sts:TagSession on" in replies[0].message
    assert "not authorized to perform: sts:SetSourceIdentity on" in replies[2].message


async def test_conditions_of_the_trust_policy(aws: AwsWorld, user: AwsClient) -> None:
    """External id, name and tags are what the request says; a session policy limits what the role may."""
    conditions = {
        "StringEquals": {
            "sts:ExternalId": "42",
            "sts:RoleSessionName": "build-7",
            "aws:RequestTag/team": "web",
            "sts:TransitiveTagKeys": "team",
        }
    }
    tags = {"Tags": [{"Key": "Team", "Value": "web"}], "TransitiveTagKeys": ["team"]}

    def change(connection: Connection) -> None:
        mia = find_entity(connection, HOME.account_id, EntityKind.USER, "mia")
        assert mia is not None
        put_role(connection, "guarded", mia, condition=conditions)

    await aws.registry.database.write(change)
    guarded = f"arn:aws:iam::{HOME.account_id}:role/guarded"

    right = await assume(user, RoleArn=guarded, ExternalId="42", **tags)
    wrong = [
        await assume(user, RoleArn=guarded, **tags),
        await assume(user, RoleArn=guarded, ExternalId="43", **tags),
        await assume(user, RoleArn=guarded, ExternalId="42"),
        await assume(user, RoleArn=guarded, ExternalId="42", RoleSessionName="other", **tags),
    ]

    assert right.status == 200
    assert {reply.code for reply in wrong} == {"AccessDenied"}
    assert {reply.message for reply in wrong} == {
        (
            f"User: arn:aws:iam::{HOME.account_id}:user/mia is not authorized to perform: sts:AssumeRole on resource: "
            f"{guarded}"
        )
    }


async def test_a_session_does_what_role_and_session_policies_allow(aws: AwsWorld, user: AwsClient) -> None:
    def change(connection: Connection) -> None:
        deploy = find_entity(connection, HOME.account_id, EntityKind.ROLE, "deploy")
        assert deploy is not None
        put_inline(connection, deploy, "ecr", document(["ecr:DescribeRepositories", "ecr:CreateRepository"]))

    await aws.registry.database.write(change)
    whole = holder_of(user, await assume(user))
    limited = holder_of(user, await assume(user, Policy=document("ecr:Describe*")))
    tags = [{"Key": "team", "Value": "web"}]

    assert (await whole.ecr("CreateRepository", repositoryName="app")).status == 200
    assert (await whole.ecr("DeleteRepository", repositoryName="app")).code == "AccessDeniedException"
    assert (await whole.ecr("CreateRepository", repositoryName="app2", tags=tags)).code == "AccessDeniedException"
    assert (await limited.ecr("DescribeRepositories")).status == 200
    assert (await limited.ecr("CreateRepository", repositoryName="app2")).code == "AccessDeniedException"


async def test_a_session_travels_whole_into_its_password(aws: AwsWorld, user: AwsClient) -> None:
    """What docker logs in with is limited as the session is, ends with it, and with its role."""
    await aws.create("team/app")
    await aws.create("team/other")

    def change(connection: Connection) -> None:
        deploy = find_entity(connection, HOME.account_id, EntityKind.ROLE, "deploy")
        assert deploy is not None
        put_inline(connection, deploy, "ecr", document("ecr:*"))

    await aws.registry.database.write(change)
    one = f"arn:aws:ecr:us-east-1:{HOME.account_id}:repository/${{aws:PrincipalTag/team}}/app"
    statements = [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": "ecr:ListImages", "Resource": one},
    ]
    limits = json.dumps({"Version": "2012-10-17", "Statement": statements})
    holder = holder_of(user, await assume(user, Policy=limits, Tags=[{"Key": "Team", "Value": "team"}]))
    (data,) = (await holder.ecr("GetAuthorizationToken"))["authorizationData"]
    docker = replace(aws.registry.client, authorization=f"Basic {data['authorizationToken']}")

    async def tags(repository: str) -> int:
        return (await docker.send("GET", f"/v2/{repository}/tags/list")).status

    left = data["expiresAt"] - aws.registry.clock.now()
    assert left <= timedelta(hours=1)
    assert [await tags(name) for name in ("team/app", "team/other")] == [200, 403]
    assert (await aws.client.iam("DeleteRolePolicy", RoleName="deploy", PolicyName="ecr")).status == 200
    assert await tags("team/app") == 403
    assert (await aws.client.iam("DeleteRole", RoleName="deploy")).status == 200
    assert await tags("team/app") == 401


async def test_a_session_of_ones_own(aws: AwsWorld, user: AwsClient) -> None:
    reply = await user.sts("GetSessionToken", DurationSeconds=900)
    holder = holder_of(user, reply)

    who = await holder.sts("GetCallerIdentity")
    again = await holder.sts("GetSessionToken")
    device = await user.sts("GetSessionToken", SerialNumber="arn:aws:iam::1:mfa/x", TokenCode="123456")
    roots = await aws.client.sts("GetSessionToken", DurationSeconds=129_600)
    roots_holder = await holder_of(aws.client, roots).sts("GetCallerIdentity")

    assert set(reply.parsed) == {"Credentials", "ResponseMetadata"}
    assert who["Arn"] == f"arn:aws:iam::{HOME.account_id}:user/mia"
    assert (await holder.iam("GetUser")).code == "InvalidClientTokenId"
    assert (await holder.sts("AssumeRole", RoleArn=ROLE, RoleSessionName="build-7")).status == 200
    assert (again.status, again.code) == (403, "AccessDenied")
    assert again.message == "Cannot call GetSessionToken with session credentials"
    assert (device.status, device.code) == (403, "AccessDenied")
    left = roots["Credentials"]["Expiration"] - aws.registry.clock.now()
    assert left <= timedelta(hours=1)
    assert roots_holder["Arn"] == f"arn:aws:iam::{HOME.account_id}:root"


async def test_whose_a_key_is(aws: AwsWorld, user: AwsClient) -> None:
    session = await assume(user)

    for key_id in (aws.stranger.key[0], user.key[0], session["Credentials"]["AccessKeyId"]):
        account = "210987654321" if key_id == aws.stranger.key[0] else HOME.account_id
        assert (await aws.client.sts("GetAccessKeyInfo", AccessKeyId=key_id))["Account"] == account
    unknown = await aws.client.sts("GetAccessKeyInfo", AccessKeyId="AKIAIOSFODNN7EXAMPLE")
    assert (unknown.status, unknown.code) == (400, "ValidationError")


async def test_boto3_over_the_wire(aws: AwsWorld, user: AwsClient) -> None:
    """A real client against the real listener."""

    def use() -> tuple[str, datetime]:
        key_id, secret = user.key
        sts = boto3.client(
            "sts",
            region_name="us-east-1",
            endpoint_url=aws.registry.url,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
        )
        keys = sts.assume_role(RoleArn=ROLE, RoleSessionName="build-7")["Credentials"]
        session = boto3.client(
            "sts",
            region_name="us-east-1",
            endpoint_url=aws.registry.url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        return session.get_caller_identity()["Arn"], keys["Expiration"]

    arn, expiration = await asyncio.to_thread(use)

    assert arn == SESSION
    assert expiration > datetime.now(UTC)
