"""Access keys through the IAM API, and what can be done with one at the moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.aws import AwsClient, AwsWorld
from tests.support.registry import HOME
from tests.wire.test_iam_user import not_found, refusal

ACCOUNT = HOME.account_id
BROKEN = "1 validation error detected: Value at"
STATES = "Active, Inactive, Expired"
NOBODYS = "AKIAIOSFODNN7EXAMPLE"


async def new_key(aws: AwsWorld, user: str = "mia") -> dict[str, Any]:
    """A key of a user, who is made if need be."""
    if (await aws.client.iam("GetUser", UserName=user)).status != 200:
        await aws.client.iam("CreateUser", UserName=user)
    key: dict[str, Any] = (await aws.client.iam("CreateAccessKey", UserName=user))["AccessKey"]
    return key


def holder(aws: AwsWorld, key: dict[str, Any]) -> AwsClient:
    return replace(aws.client, key=(key["AccessKeyId"], key["SecretAccessKey"]))


async def statuses(aws: AwsWorld, user: str = "mia") -> dict[str, str]:
    listed = await aws.client.iam("ListAccessKeys", UserName=user)
    return {key["AccessKeyId"]: key["Status"] for key in listed["AccessKeyMetadata"]}


async def test_a_key_is_shown_once_and_works_at_once(aws: AwsWorld) -> None:
    key = await new_key(aws)

    assert key.keys() == {"UserName", "AccessKeyId", "Status", "SecretAccessKey", "CreateDate"}
    assert (key["UserName"], key["Status"]) == ("mia", "Active")
    assert key["AccessKeyId"].startswith("AKIA")
    assert (len(key["AccessKeyId"]), len(key["SecretAccessKey"])) == (20, 40)
    listed = await aws.client.iam("ListAccessKeys", UserName="MIA")
    del key["SecretAccessKey"]
    assert (listed["AccessKeyMetadata"], listed["IsTruncated"]) == ([key], False)


async def test_the_caller_is_the_user_also_after_a_rename(aws: AwsWorld) -> None:
    key = await new_key(aws)
    user = (await aws.client.iam("GetUser", UserName="mia"))["User"]
    client = holder(aws, key)

    before = await client.sts("GetCallerIdentity")
    await aws.client.iam("UpdateUser", UserName="mia", NewUserName="mina", NewPath="/team/")
    after = await client.sts("GetCallerIdentity")

    assert (before["UserId"], before["Account"], before["Arn"]) == (user["UserId"], ACCOUNT, user["Arn"])
    assert (after["UserId"], after["Arn"]) == (user["UserId"], f"arn:aws:iam::{ACCOUNT}:user/team/mina")
    (listed,) = (await aws.client.iam("ListAccessKeys", UserName="mina"))["AccessKeyMetadata"]
    assert listed["UserName"] == "mina"


async def test_a_key_that_is_off_or_gone_signs_nothing(aws: AwsWorld) -> None:
    key = await new_key(aws)
    client, named = holder(aws, key), {"UserName": "mia", "AccessKeyId": key["AccessKeyId"]}

    for operation, parameters, status in [
        ("UpdateAccessKey", {"Status": "Inactive"}, 403),
        ("UpdateAccessKey", {"Status": "Active"}, 200),
        ("DeleteAccessKey", {}, 403),
    ]:
        assert (await aws.client.iam(operation, **named, **parameters)).status == 200
        reply = await client.sts("GetCallerIdentity")
        assert reply.status == status, (operation, parameters)
        assert reply.code == (None if status == 200 else "InvalidClientTokenId")
    assert await statuses(aws) == {}


async def test_states_show_in_lists(aws: AwsWorld) -> None:
    first, second = await new_key(aws), await new_key(aws)
    await aws.client.iam("UpdateAccessKey", UserName="mia", AccessKeyId=first["AccessKeyId"], Status="Inactive")

    assert await statuses(aws) == {first["AccessKeyId"]: "Inactive", second["AccessKeyId"]: "Active"}
    page = await aws.client.iam("ListAccessKeys", UserName="mia", MaxItems=1)
    rest = await aws.client.iam("ListAccessKeys", UserName="mia", MaxItems=1, Marker=page["Marker"])
    ids = [key["AccessKeyId"] for key in page["AccessKeyMetadata"] + rest["AccessKeyMetadata"]]
    assert (ids, rest["IsTruncated"]) == ([first["AccessKeyId"], second["AccessKeyId"]], False)


async def test_two_keys_at_most(aws: AwsWorld) -> None:
    first, _ = await new_key(aws), await new_key(aws)
    full = (409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")

    assert refusal(await aws.client.iam("CreateAccessKey", UserName="mia")) == full
    await aws.client.iam("UpdateAccessKey", UserName="mia", AccessKeyId=first["AccessKeyId"], Status="Inactive")
    assert refusal(await aws.client.iam("CreateAccessKey", UserName="mia")) == full
    await aws.client.iam("DeleteAccessKey", UserName="mia", AccessKeyId=first["AccessKeyId"])
    assert (await aws.client.iam("CreateAccessKey", UserName="mia")).status == 200


async def test_keys_of_nobody_and_of_others(aws: AwsWorld) -> None:
    key, hers = await new_key(aws), await new_key(aws, "lea")
    for operation, parameters in [("UpdateAccessKey", {"Status": "Inactive"}), ("DeleteAccessKey", {})]:
        for key_id in (NOBODYS, hers["AccessKeyId"], aws.client.key[0]):
            reply = await aws.client.iam(operation, UserName="mia", AccessKeyId=key_id, **parameters)
            assert refusal(reply) == (404, "NoSuchEntity", f"The Access Key with id {key_id} cannot be found.")
        reply = await aws.client.iam(operation, UserName="none", AccessKeyId=key["AccessKeyId"], **parameters)
        assert refusal(reply) == not_found("none")
    for operation in ("CreateAccessKey", "ListAccessKeys"):
        assert refusal(await aws.client.iam(operation, UserName="none")) == not_found("none")
    assert list((await statuses(aws, "lea")).values()) == ["Active"]


async def test_a_user_with_keys_stays(aws: AwsWorld) -> None:
    key = await new_key(aws)
    reply = await aws.client.iam("DeleteUser", UserName="mia")

    assert refusal(reply) == (409, "DeleteConflict", "Cannot delete entity, must delete access keys first.")
    await aws.client.iam("DeleteAccessKey", UserName="mia", AccessKeyId=key["AccessKeyId"])
    assert (await aws.client.iam("DeleteUser", UserName="mia")).status == 200


async def test_root_has_keys_of_its_own(aws: AwsWorld) -> None:
    made = (await aws.client.iam_form("CreateAccessKey"))["AccessKey"]
    assert "UserName" not in made
    client = holder(aws, made)

    assert (await client.sts("GetCallerIdentity"))["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    listed = await client.iam("ListAccessKeys")
    assert [key["AccessKeyId"] for key in listed["AccessKeyMetadata"]] == [aws.client.key[0], made["AccessKeyId"]]
    assert (await aws.client.iam("CreateAccessKey")).code == "LimitExceeded"
    assert (await client.iam("DeleteAccessKey", AccessKeyId=aws.client.key[0])).status == 200
    assert (await aws.client.sts("GetCallerIdentity")).code == "InvalidClientTokenId"


# ── last used ────────────────────────────────────────────────────────────────────────────────


async def last_used(aws: AwsWorld, key_id: str) -> dict[str, Any]:
    reply = await aws.client.iam("GetAccessKeyLastUsed", AccessKeyId=key_id)
    assert reply["UserName"] == "mia"
    used: dict[str, Any] = reply["AccessKeyLastUsed"]
    return used


async def test_when_a_key_was_last_used(aws: AwsWorld) -> None:
    key = await new_key(aws)
    client, uses = holder(aws, key), aws.registry.services.iam_access_key.uses

    assert await last_used(aws, key["AccessKeyId"]) == {"ServiceName": "N/A", "Region": "N/A"}
    await replace(client, region="eu-west-1").ecr("DescribeRepositories")
    noted = await last_used(aws, key["AccessKeyId"])
    assert (noted["ServiceName"], noted["Region"]) == ("ecr", "eu-west-1")
    assert abs(noted["LastUsedDate"] - aws.registry.clock.now()) < timedelta(seconds=60)
    assert await uses.flush(is_final=True) >= 1
    assert uses.find(key["AccessKeyId"]) is None
    assert await last_used(aws, key["AccessKeyId"]) == noted

    aws.registry.clock.advance(100)
    await client.sts("GetCallerIdentity")
    later = await last_used(aws, key["AccessKeyId"])
    assert (later["ServiceName"], later["Region"]) == ("sts", "us-east-1")
    assert later["LastUsedDate"] > noted["LastUsedDate"]


async def test_a_forged_signature_is_no_use(aws: AwsWorld) -> None:
    key = await new_key(aws)
    await replace(aws.client, key=(key["AccessKeyId"], "wrong" * 8)).sts("GetCallerIdentity")

    assert await last_used(aws, key["AccessKeyId"]) == {"ServiceName": "N/A", "Region": "N/A"}


async def test_an_older_use_never_replaces_a_newer_one(aws: AwsWorld) -> None:
    key = await new_key(aws)
    other_worker = type(aws.registry.services.iam_access_key.uses)(aws.registry.database, aws.registry.services.context)
    other_worker.record(key["AccessKeyId"], "us-west-2", "ecr")
    aws.registry.clock.advance(5)
    await holder(aws, key).sts("GetCallerIdentity")
    await aws.registry.services.iam_access_key.uses.flush(is_final=True)
    await other_worker.flush(is_final=True)

    assert (await last_used(aws, key["AccessKeyId"]))["ServiceName"] == "sts"


async def test_keys_of_other_accounts_are_no_different_from_those_of_nobody(aws: AwsWorld) -> None:
    for key_id in (NOBODYS, aws.stranger.key[0]):
        reply = await aws.client.iam("GetAccessKeyLastUsed", AccessKeyId=key_id)
        action = "iam:GetAccessKeyLastUsed"
        sentence = f"is not authorized to perform {action} on resource: access key {key_id}"
        assert refusal(reply) == (403, "AccessDenied", f"User: arn:aws:iam::{ACCOUNT}:root {sentence}")


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "message"),
    [
        (
            "UpdateAccessKey",
            {"AccessKeyId": NOBODYS, "Status": "Off"},
            "ValidationError",
            f"{BROKEN} 'status' failed to satisfy constraint: Member must satisfy enum value set: [{STATES}]",
        ),
        (
            "UpdateAccessKey",
            {"AccessKeyId": NOBODYS, "Status": "Expired"},
            "InvalidInput",
            "The status of an access key can be set to Active or Inactive, not to Expired.",
        ),
        (
            "DeleteAccessKey",
            {"AccessKeyId": "AKIA"},
            "ValidationError",
            f"{BROKEN} 'accessKeyId' failed to satisfy constraint: Member must have length greater than or equal to 16",
        ),
    ],
)
async def test_bad_input(
    sqlite_aws: AwsWorld, operation: str, parameters: dict[str, Any], code: str, message: str
) -> None:
    assert refusal(await sqlite_aws.client.iam(operation, **parameters)) == (400, code, message)
