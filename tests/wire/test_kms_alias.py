"""Aliases through the KMS API: made, moved, listed, deleted, and used in the place of keys."""

from __future__ import annotations

from typing import Any

import pytest

from entrepot.domain import kms_limit
from tests.support.aws import AwsWorld, Reply
from tests.support.kms import described, error_of, new_key
from tests.support.registry import HOME

ALIAS_ARN = f"arn:aws:kms:us-east-1:{HOME.account_id}:alias/"
PREFIX = (
    'Alias must start with the prefix "alias/". '
    "Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)

BROKEN = "1 validation error detected: Value 'alias/my-alias!' at 'aliasName' failed to satisfy constraint"


async def create(aws: AwsWorld, name: str, key_id: str) -> Reply:
    return await aws.client.kms("CreateAlias", AliasName=name, TargetKeyId=key_id)


async def names(aws: AwsWorld, **parameters: Any) -> list[str]:
    return [alias["AliasName"] for alias in (await aws.client.kms("ListAliases", **parameters))["Aliases"]]


async def test_from_create_to_delete(aws: AwsWorld) -> None:
    first, second = [(await new_key(aws.client))["KeyId"] for _ in range(2)]
    assert (await create(aws, "alias/build", first)).status == 200

    (shown,) = (await aws.client.kms("ListAliases"))["Aliases"]
    assert (shown["AliasName"], shown["AliasArn"]) == ("alias/build", f"{ALIAS_ARN}build")
    assert shown["TargetKeyId"] == first
    assert shown["CreationDate"] == shown["LastUpdatedDate"]
    for name in ("alias/build", f"{ALIAS_ARN}build"):
        assert (await described(aws.client, name))["KeyId"] == first

    aws.registry.clock.advance(60)
    moved = await aws.client.kms("UpdateAlias", AliasName="alias/build", TargetKeyId=second)
    assert moved.status == 200
    assert (await described(aws.client, "alias/build"))["KeyId"] == second
    (now,) = (await aws.client.kms("ListAliases"))["Aliases"]
    assert (now["TargetKeyId"], now["CreationDate"]) == (second, shown["CreationDate"])
    assert now["LastUpdatedDate"] > now["CreationDate"]

    assert (await aws.client.kms("DeleteAlias", AliasName="alias/build")).status == 200
    for operation, given in (
        ("DescribeKey", {"KeyId": "alias/build"}),
        ("DeleteAlias", {"AliasName": "alias/build"}),
        ("UpdateAlias", {"AliasName": "alias/build", "TargetKeyId": first}),
    ):
        reply = await aws.client.kms(operation, **given)
        assert error_of(reply) == (400, "NotFoundException", f"Alias {ALIAS_ARN}build is not found."), operation
    assert (await create(aws, "alias/build", first)).status == 200


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("build", "ValidationException", PREFIX),
        ("wrongprefix/build", "ValidationException", PREFIX),
        ("alias/aws/ebs", "NotAuthorizedException", ""),
        ("alias/my:alias", "ValidationException", "alias/my:alias contains invalid characters for an alias"),
        ("alias/", "ValidationException", "alias/ contains invalid characters for an alias"),
        (
            "alias/my-alias!",
            "ValidationException",
            f"{BROKEN}: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
        ),
    ],
)
async def test_names_that_no_alias_can_have(sqlite_aws: AwsWorld, name: str, code: str, message: str) -> None:
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    for operation, target in (("CreateAlias", key_id), ("UpdateAlias", key_id), ("DeleteAlias", None)):
        given = {"AliasName": name} | ({} if target is None else {"TargetKeyId": target})
        assert error_of(await sqlite_aws.client.kms(operation, **given)) == (400, code, message), operation
    assert await names(sqlite_aws) == []


@pytest.mark.parametrize("name", ["alias/my-alias_/", "alias/my_alias-/", "alias/a/b", "alias/" + "a" * 250])
async def test_names_that_aliases_can_have(sqlite_aws: AwsWorld, name: str) -> None:
    key = await new_key(sqlite_aws.client)
    assert (await create(sqlite_aws, name, key["Arn"])).status == 200
    assert (await described(sqlite_aws.client, name))["KeyId"] == key["KeyId"]


async def test_an_alias_names_one_key(sqlite_aws: AwsWorld) -> None:
    first, second = [(await new_key(sqlite_aws.client))["KeyId"] for _ in range(2)]
    await create(sqlite_aws, "alias/build", first)
    for target in (first, second):
        again = await create(sqlite_aws, "alias/build", target)
        taken = f"An alias with the name {ALIAS_ARN}build already exists"
        assert error_of(again) == (400, "AlreadyExistsException", taken)
    of_alias = await create(sqlite_aws, "alias/other", "alias/build")
    assert error_of(of_alias) == (400, "ValidationException", "Aliases must refer to keys. Not aliases")
    assert (await create(sqlite_aws, "alias/other", "12366f9b-1230-123d-123e-123e6ae60c02")).code == "NotFoundException"


async def test_lists(aws: AwsWorld) -> None:
    key, other = await new_key(aws.client), await new_key(aws.client)
    expected = [f"alias/al{number}" for number in range(5)]
    for name in expected:
        await create(aws, name, key["KeyId"])
    await create(aws, "alias/zz", other["KeyId"])
    await aws.stranger.kms("CreateAlias", AliasName="alias/al0", TargetKeyId=(await new_key(aws.stranger))["KeyId"])

    assert await names(aws) == [*expected, "alias/zz"]
    assert await names(aws, KeyId=key["KeyId"]) == await names(aws, KeyId=key["Arn"]) == expected
    first = await aws.client.kms("ListAliases", KeyId=key["KeyId"], Limit=3)
    rest = await aws.client.kms("ListAliases", KeyId=key["KeyId"], Limit=3, Marker=first["NextMarker"])
    assert [one["AliasName"] for one in first["Aliases"] + rest["Aliases"]] == expected
    assert (first["Truncated"], rest["Truncated"]) == (True, False)
    of_other = await aws.client.kms("ListAliases", KeyId=other["KeyId"], Marker=first["NextMarker"])
    assert of_other.code == "InvalidMarkerException"
    assert (await aws.client.kms("ListAliases", Limit=101)).code == "ValidationException"
    assert (await aws.stranger.kms("ListAliases", KeyId=key["Arn"])).code == "NotFoundException"


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "GetKeyPolicy", "DisableKey", "ScheduleKeyDeletion"])
async def test_some_operations_take_no_alias(sqlite_aws: AwsWorld, operation: str) -> None:
    await create(sqlite_aws, "alias/build", (await new_key(sqlite_aws.client))["KeyId"])
    reply = await sqlite_aws.client.kms(operation, KeyId="alias/build")
    assert error_of(reply) == (400, "NotFoundException", "Invalid keyId 'alias/build'")


async def test_keys_that_are_about_to_go_get_no_alias(sqlite_aws: AwsWorld) -> None:
    going, staying = [await new_key(sqlite_aws.client) for _ in range(2)]
    await create(sqlite_aws, "alias/going", going["KeyId"])
    await create(sqlite_aws, "alias/staying", staying["KeyId"])
    await sqlite_aws.client.kms("ScheduleKeyDeletion", KeyId=going["KeyId"])

    refused = (400, "KMSInvalidStateException", f"{going['Arn']} is pending deletion.")
    assert error_of(await create(sqlite_aws, "alias/new", going["KeyId"])) == refused
    to_it = await sqlite_aws.client.kms("UpdateAlias", AliasName="alias/staying", TargetKeyId=going["KeyId"])
    assert error_of(to_it) == refused
    from_it = await sqlite_aws.client.kms("UpdateAlias", AliasName="alias/going", TargetKeyId=staying["KeyId"])
    assert from_it.status == 200


async def test_aliases_of_a_key_are_counted(sqlite_aws: AwsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kms_limit.ALIASES_MAX == 50
    monkeypatch.setattr("entrepot.service.kms.alias.ALIASES_MAX", 2)
    full, other = [(await new_key(sqlite_aws.client))["KeyId"] for _ in range(2)]
    for name in ("alias/a", "alias/b"):
        await create(sqlite_aws, name, full)
    await create(sqlite_aws, "alias/c", other)

    assert (await create(sqlite_aws, "alias/d", full)).code == "LimitExceededException"
    moved = await sqlite_aws.client.kms("UpdateAlias", AliasName="alias/c", TargetKeyId=full)
    assert moved.code == "LimitExceededException"
    stays = await sqlite_aws.client.kms("UpdateAlias", AliasName="alias/a", TargetKeyId=full)
    assert stays.status == 200


async def test_nobody_learns_what_another_account_has(aws: AwsWorld) -> None:
    key = await new_key(aws.client)
    assert (await create(aws, "alias/secret", key["KeyId"])).status == 200
    names = [f"{ALIAS_ARN}secret", f"{ALIAS_ARN}nothing", key["Arn"], key["Arn"][:-12] + "0" * 12]
    codes = [(await aws.stranger.kms("ListAliases", KeyId=name)).code for name in names]
    assert codes == ["NotFoundException"] * 4
    said = (await aws.stranger.kms("ListAliases", KeyId=names[0])).message
    assert said == f"Alias {names[0]} is not found."
