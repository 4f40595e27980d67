"""Keys through the KMS API: made, described, listed, switched off and on, scheduled for deletion and deleted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from entrepot.domain import kms_limit
from tests.support.aws import AwsWorld
from tests.support.kms import described, error_of, new_key
from tests.support.registry import HOME

NOWHERE = "12366f9b-1230-123d-123e-123e6ae60c02"
ARN = f"arn:aws:kms:us-east-1:{HOME.account_id}:key/"
DAY = 24 * 3600


async def test_a_new_key(aws: AwsWorld) -> None:
    made = await new_key(aws.client, Description="test key 123", KeyUsage="ENCRYPT_DECRYPT")

    assert made.pop("CreationDate") is not None
    assert len(made.pop("CurrentKeyMaterialId")) == 64
    assert made == {
        "AWSAccountId": HOME.account_id,
        "KeyId": made["KeyId"],
        "Arn": ARN + made["KeyId"],
        "Enabled": True,
        "Description": "test key 123",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    for name in (made["KeyId"], made["Arn"]):
        shown = await described(aws.client, name)
        assert made.items() <= shown.items()


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"KeySpec": "HMAC_256"}, "ValidationException", "You must specify a KeyUsage value for all KMS keys except"),
        ({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, "UnsupportedOperationException", "KeySpec HMAC"),
        (
            {"CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
            "UnsupportedOperationException",
            "KeySpec",
        ),
        (
            {"KeySpec": "nonsense"},
            "ValidationException",
            "1 validation error detected: Value 'nonsense' at 'keySp",
        ),
        (
            {"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "RSA_2048"},
            "ValidationException",
            "You cannot",
        ),
        (
            {"KeyUsage": "SIGN_VERIFY"},
            "ValidationException",
            "KeyUsage SIGN_VERIFY is not compatible with KeySp",
        ),
        ({"Origin": "EXTERNAL"}, "UnsupportedOperationException", "Key material of another origin"),
        ({"MultiRegion": True}, "UnsupportedOperationException", "Multi-Region keys"),
        ({"CustomKeyStoreId": "cks-1"}, "CustomKeyStoreNotFoundException", "Custom key store cks-1 is not found."),
        ({"Description": "a" * 8193}, "ValidationException", "1 validation error detected: Value 'aaa"),
    ],
)
async def test_keys_that_there_cannot_be(sqlite_aws: AwsWorld, given: dict[str, Any], code: str, message: str) -> None:
    reply = await sqlite_aws.client.kms("CreateKey", **given)

    assert (reply.status, reply.code) == (400, code)
    assert reply.message.startswith(message)
    assert (await sqlite_aws.client.kms("ListKeys"))["Keys"] == []


OPERATIONS: list[tuple[str, dict[str, Any]]] = [
    ("CancelKeyDeletion", {}),
    ("DescribeKey", {}),
    ("DisableKey", {}),
    ("DisableKeyRotation", {}),
    ("EnableKey", {}),
    ("EnableKeyRotation", {}),
    ("GetKeyPolicy", {}),
    ("GetKeyRotationStatus", {}),
    ("ListKeyPolicies", {}),
    ("ListKeyRotations", {}),
    ("ListResourceTags", {}),
    ("PutKeyPolicy", {"Policy": "{}"}),
    ("RotateKeyOnDemand", {}),
    ("ScheduleKeyDeletion", {}),
    ("TagResource", {"Tags": []}),
    ("UntagResource", {"TagKeys": []}),
    ("UpdateKeyDescription", {"Description": ""}),
]


@pytest.mark.parametrize(("operation", "more"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
async def test_keys_that_are_not_there(sqlite_aws: AwsWorld, operation: str, more: dict[str, Any]) -> None:
    for name, code, message in (
        (NOWHERE, "NotFoundException", f"Key '{ARN}{NOWHERE}' does not exist"),
        (ARN + NOWHERE, "NotFoundException", f"Key '{ARN}{NOWHERE}' does not exist"),
        (
            "mrk-d3b95762d3b95762d3b95762d3b95762",
            "NotFoundException",
            f"Key '{ARN}mrk-d3b95762",
        ),
        ("fake-key-id", "NotFoundException", "Invalid keyId 'fake-key-id'"),
        ("134f2428cec14b25a1ae9048164dba47", "NotFoundException", "Invalid keyId '134f2428cec14b25a1ae9048164dba47'"),
        (ARN.replace("us-east-1", "eu-west-1") + NOWHERE, "NotFoundException", "Invalid arn eu-west-1"),
        ("arn:aws:kms:us-east-1:1:key/a", "InvalidArnException", "Invalid arn arn:aws:kms:us-east-1:1:key/a"),
    ):
        reply = await sqlite_aws.client.kms(operation, KeyId=name, **more)
        assert (reply.status, reply.code) == (400, code) or reply.code == "InvalidArnException", (name, reply.parsed)
        assert reply.message.startswith(message)


async def test_a_key_belongs_to_its_region(sqlite_aws: AwsWorld) -> None:
    made = await new_key(sqlite_aws.client)
    elsewhere = replace(sqlite_aws.client, region="eu-west-1")

    by_id = await elsewhere.kms("DescribeKey", KeyId=made["KeyId"])
    by_arn = await elsewhere.kms("DescribeKey", KeyId=made["Arn"])

    there = made["Arn"].replace("us-east-1", "eu-west-1")
    assert error_of(by_id) == (400, "NotFoundException", f"Key '{there}' does not exist")
    assert error_of(by_arn) == (400, "NotFoundException", "Invalid arn us-east-1")
    assert (await elsewhere.kms("ListKeys"))["Keys"] == []


async def test_keys_are_listed_page_by_page(aws: AwsWorld) -> None:
    made = {(await new_key(aws.client))["Arn"] for _ in range(5)}
    await new_key(aws.stranger)
    marker: dict[str, str] = {}
    seen, pages = [], 0
    while True:
        reply = await aws.client.kms("ListKeys", Limit=2, **marker)
        seen += [key["KeyArn"] for key in reply["Keys"]]
        assert all(key["KeyArn"] == ARN + key["KeyId"] for key in reply["Keys"])
        pages += 1
        if not reply["Truncated"]:
            assert "NextMarker" not in reply.parsed
            break
        marker = {"Marker": reply["NextMarker"]}

    assert (set(seen), len(seen), pages) == (made, 5, 3)
    assert len((await aws.client.kms("ListKeys", ResourceOwners=["SELF", "OTHER_ACCOUNTS_VIA_RAM"]))["Keys"]) == 5
    shared = await aws.client.kms("ListKeys", ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])
    assert (shared["Keys"], shared["Truncated"]) == ([], False), "nothing is shared"
    broken = await aws.client.kms("ListKeys", Marker="nonsense")
    assert error_of(broken)[:2] == (400, "InvalidMarkerException")
    of_another_list = await aws.client.kms("ListAliases", **marker)
    assert of_another_list.code == "InvalidMarkerException"


async def test_descriptions_change(sqlite_aws: AwsWorld) -> None:
    made = await new_key(sqlite_aws.client)
    reply = await sqlite_aws.client.kms("UpdateKeyDescription", KeyId=made["KeyId"], Description="new")

    assert json.loads(reply.response.body) == {}
    assert (await described(sqlite_aws.client, made["KeyId"]))["Description"] == "new"


async def test_off_and_on(aws: AwsWorld) -> None:
    key_id = (await new_key(aws.client))["KeyId"]

    for operation, state in (
        ("DisableKey", "Disabled"),
        ("DisableKey", "Disabled"),
        ("EnableKey", "Enabled"),
        ("EnableKey", "Enabled"),
    ):
        assert (await aws.client.kms(operation, KeyId=key_id)).status == 200
        shown = await described(aws.client, key_id)
        assert (shown["KeyState"], shown["Enabled"]) == (state, state == "Enabled")


async def test_deletion_is_scheduled_and_cancelled(aws: AwsWorld) -> None:
    made = await new_key(aws.client)
    key_id, arn = made["KeyId"], made["Arn"]

    scheduled = await aws.client.kms("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
    assert (scheduled["KeyId"], scheduled["KeyState"], scheduled["PendingWindowInDays"]) == (arn, "PendingDeletion", 7)
    ahead = scheduled["DeletionDate"] - aws.registry.clock.now()
    assert timedelta(days=6, hours=23) < ahead <= timedelta(days=7)
    shown = await described(aws.client, key_id)
    assert (shown["KeyState"], shown["Enabled"]) == ("PendingDeletion", False)
    assert shown["DeletionDate"] == scheduled["DeletionDate"]

    is_pending = (400, "KMSInvalidStateException", f"{arn} is pending deletion.")
    for operation, more in OPERATIONS:
        if operation in ("DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "RotateKeyOnDemand"):
            assert error_of(await aws.client.kms(operation, KeyId=key_id, **more)) == is_pending, operation
        if operation in ("ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateKeyDescription"):
            assert error_of(await aws.client.kms(operation, KeyId=key_id, **more)) == is_pending, operation

    assert (await aws.client.kms("CancelKeyDeletion", KeyId=key_id))["KeyId"] == arn
    shown = await described(aws.client, key_id)
    assert (shown["KeyState"], "DeletionDate" in shown) == ("Disabled", False)
    again = await aws.client.kms("CancelKeyDeletion", KeyId=key_id)
    assert error_of(again) == (400, "KMSInvalidStateException", f"{arn} is not pending deletion.")


@pytest.mark.parametrize(("days", "is_fine"), [(6, False), (7, True), (30, True), (31, False)])
async def test_a_deletion_waits_for_7_to_30_days(sqlite_aws: AwsWorld, days: int, is_fine: bool) -> None:
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    reply = await sqlite_aws.client.kms("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=days)

    assert reply.code == (None if is_fine else "ValidationException")


async def test_a_deletion_without_days_waits_for_30(sqlite_aws: AwsWorld) -> None:
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    assert (await sqlite_aws.client.kms("ScheduleKeyDeletion", KeyId=key_id))["PendingWindowInDays"] == 30


async def test_what_is_due_is_deleted_and_nothing_else(aws: AwsWorld) -> None:
    lifecycle_service = aws.registry.services.kms_lifecycle
    due, cancelled, later, kept = [await new_key(aws.client) for _ in range(4)]
    await aws.client.kms("CreateAlias", AliasName="alias/due", TargetKeyId=due["KeyId"])
    await aws.client.kms("TagResource", KeyId=due["KeyId"], Tags=[{"TagKey": "a", "TagValue": "b"}])
    for key, days in ((due, 7), (cancelled, 7), (later, 8)):
        await aws.client.kms("ScheduleKeyDeletion", KeyId=key["KeyId"], PendingWindowInDays=days)
    await aws.client.kms("CancelKeyDeletion", KeyId=cancelled["KeyId"])

    aws.registry.clock.advance(7 * DAY - 60)
    assert await lifecycle_service.delete_due() == 0
    aws.registry.clock.advance(120)
    assert await lifecycle_service.delete_due() == 1
    assert await lifecycle_service.delete_due() == 0

    gone = await aws.client.kms("DescribeKey", KeyId=due["KeyId"])
    assert error_of(gone) == (400, "NotFoundException", f"Key '{due['Arn']}' does not exist")
    assert (await aws.client.kms("ListAliases"))["Aliases"] == []
    for key, state in ((cancelled, "Disabled"), (later, "PendingDeletion"), (kept, "Enabled")):
        assert (await described(aws.client, key["KeyId"]))["KeyState"] == state


async def test_awss_key_for_ecr_is_made_when_it_is_asked_for(aws: AwsWorld) -> None:
    assert (await aws.client.kms("ListKeys"))["Keys"] == []
    shown = await described(aws.client, "alias/aws/ecr")

    assert (shown["KeyManager"], shown["KeyState"]) == ("AWS", "Enabled")
    assert (await described(aws.client, "alias/aws/ecr")) == shown
    assert (await aws.registry.services.kms_lifecycle.ecr_key(HOME)).id == shown["KeyId"]
    assert (await described(aws.stranger, "alias/aws/ecr"))["KeyId"] != shown["KeyId"]
    status = await aws.client.kms("GetKeyRotationStatus", KeyId=shown["KeyId"])
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 365)
    (alias,) = (await aws.client.kms("ListAliases"))["Aliases"]
    assert (alias["AliasName"], alias["TargetKeyId"]) == ("alias/aws/ecr", shown["KeyId"])


async def test_awss_key_is_not_the_customers(sqlite_aws: AwsWorld) -> None:
    key_id = (await described(sqlite_aws.client, "alias/aws/ecr"))["KeyId"]
    mine = (await new_key(sqlite_aws.client))["KeyId"]

    for operation, given in (
        ("DisableKey", {"KeyId": key_id}),
        ("EnableKey", {"KeyId": key_id}),
        ("ScheduleKeyDeletion", {"KeyId": key_id}),
        ("PutKeyPolicy", {"KeyId": key_id, "Policy": "{}"}),
        ("DisableKeyRotation", {"KeyId": key_id}),
        ("RotateKeyOnDemand", {"KeyId": key_id}),
        ("TagResource", {"KeyId": key_id, "Tags": []}),
        ("UpdateKeyDescription", {"KeyId": key_id, "Description": "mine"}),
        ("CreateAlias", {"AliasName": "alias/mine", "TargetKeyId": key_id}),
    ):
        assert (await sqlite_aws.client.kms(operation, **given)).code == "AccessDeniedException", operation
    for operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        target = {} if operation == "DeleteAlias" else {"TargetKeyId": mine}
        reply = await sqlite_aws.client.kms(operation, AliasName="alias/aws/ecr", **target)
        assert error_of(reply) == (400, "NotAuthorizedException", ""), operation
    assert (await sqlite_aws.client.kms("GetKeyPolicy", KeyId=key_id)).status == 200
    assert (await sqlite_aws.client.kms("ListResourceTags", KeyId=key_id))["Tags"] == []


async def test_keys_are_counted(sqlite_aws: AwsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kms_limit.KEYS_MAX == 100_000
    monkeypatch.setattr("entrepot.service.kms.lifecycle.KEYS_MAX", 2)
    await described(sqlite_aws.client, "alias/aws/ecr")  # does not count
    first, _ = await new_key(sqlite_aws.client), await new_key(sqlite_aws.client)

    assert (await sqlite_aws.client.kms("CreateKey")).code == "LimitExceededException"
    elsewhere = replace(sqlite_aws.client, region="eu-west-1")
    await new_key(elsewhere)
    await sqlite_aws.client.kms("ScheduleKeyDeletion", KeyId=first["KeyId"], PendingWindowInDays=7)
    assert (await sqlite_aws.client.kms("CreateKey")).code == "LimitExceededException", "pending ones count"
    sqlite_aws.registry.clock.advance(8 * DAY)
    await sqlite_aws.registry.services.kms_lifecycle.delete_due()
    await new_key(sqlite_aws.client)
