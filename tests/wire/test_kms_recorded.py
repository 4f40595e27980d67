"""Refusals of KMS in AWS's own words, as recorded answers and clients that look for them know them.

Spec: answers of AWS that public test suites of KMS (LocalStack's snapshots, moto's verified tests) compare with theirs.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.aws import AwsWorld
from tests.support.kms import error_of, new_key
from tests.support.registry import HOME, OTHER_ACCOUNT

PLAINTEXT = base64.b64encode(b"order 7").decode()
NOWHERE = "134f2428-cec1-4b25-a1ae-9048164dba47"
REGIONAL = f"arn:aws:kms:us-east-1:{HOME.account_id}"
TOO_LONG, TOO_SHORT = base64.b64encode(b"x" * 4097).decode(), ""
BROKEN = "1 validation error detected: Value"
LENGTH = "failed to satisfy constraint: Member must have length"
SPECS = "Member must satisfy enum value set: [AES_256, AES_128]"
EITHER = "Please specify either number of bytes or key spec."
GUIDE = "https://docs.aws.amazon.com/kms/latest/developerguide"
OLD_NAME = "CustomerMasterKeySpec"

RECORDED: list[tuple[str, dict[str, Any], str, str]] = [
    ("DescribeKey", {"KeyId": NOWHERE}, "NotFoundException", f"Key '{REGIONAL}:key/{NOWHERE}' does not exist"),
    ("DescribeKey", {"KeyId": "fake-key-id"}, "NotFoundException", "Invalid keyId 'fake-key-id'"),
    ("DescribeKey", {"KeyId": "mrk-fake-key-id"}, "NotFoundException", "Invalid keyId 'mrk-fake-key-id'"),
    (
        "DescribeKey",
        {"KeyId": NOWHERE.replace("-", "")},
        "NotFoundException",
        f"Invalid keyId '{NOWHERE.replace('-', '')}'",
    ),
    ("DescribeKey", {"KeyId": "alias/not"}, "NotFoundException", f"Alias {REGIONAL}:alias/not is not found."),
    ("EnableKeyRotation", {"KeyId": "alias/any"}, "NotFoundException", "Invalid keyId 'alias/any'"),
    ("TagResource", {"KeyId": "unknown", "Tags": []}, "NotFoundException", "Invalid keyId 'unknown'"),
    ("CreateGrant", {"KeyId": "invalid", "Operations": ["Encrypt"]}, "NotFoundException", "Invalid keyId 'invalid'"),
    ("RevokeGrant", {"GrantId": "aabbccdd"}, "NotFoundException", "Grant ID aabbccdd not found"),
    ("DeleteAlias", {"AliasName": "alias/not"}, "NotFoundException", f"Alias {REGIONAL}:alias/not is not found."),
    ("CreateAlias", {"AliasName": "alias/aws/ebs"}, "NotAuthorizedException", ""),
    (
        "CreateAlias",
        {"AliasName": "plain"},
        "ValidationException",
        f'Alias must start with the prefix "alias/". Please see {GUIDE}/kms-alias.html',
    ),
    (
        "CreateAlias",
        {"AliasName": "alias/a:b"},
        "ValidationException",
        "alias/a:b contains invalid characters for an alias",
    ),
    (
        "CreateAlias",
        {"AliasName": "alias/b", "TargetKeyId": "alias/a"},
        "ValidationException",
        "Aliases must refer to keys. Not aliases",
    ),
    (
        "Encrypt",
        {"Plaintext": TOO_LONG},
        "ValidationException",
        f"{BROKEN} at 'plaintext' {LENGTH} less than or equal to 4096",
    ),
    (
        "Encrypt",
        {"Plaintext": TOO_SHORT},
        "ValidationException",
        f"{BROKEN} at 'plaintext' {LENGTH} greater than or equal to 1",
    ),
    ("GenerateDataKey", {}, "ValidationException", EITHER),
    ("GenerateDataKey", {"KeySpec": "AES_128", "NumberOfBytes": 16}, "ValidationException", EITHER),
    (
        "GenerateDataKey",
        {"KeySpec": "AES_257"},
        "ValidationException",
        f"{BROKEN} 'AES_257' at 'keySpec' failed to satisfy constraint: {SPECS}",
    ),
    (
        "GenerateDataKey",
        {"KeySpec": "AES_256", "DryRun": True},
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
    ),
    ("Decrypt", {"CiphertextBlob": PLAINTEXT}, "InvalidCiphertextException", ""),
    (
        "CreateGrant",
        {"Operations": ["CreateGrant"]},
        "ValidationException",
        "Grants must not contain only the CreateGrant operation.",
    ),
    (
        "CreateGrant",
        {
            "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextEquals": {"a": "b"}, "EncryptionContextSubset": {"a": "b"}},
        },
        "ValidationException",
        "More than one constraint supplied",
    ),
    (
        "CreateKey",
        {"KeySpec": "HMAC_256"},
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
    ),
    (
        "CreateKey",
        {"KeySpec": "RSA_2048", "CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        "ValidationException",
        f"You cannot specify KeySpec and {OLD_NAME} in the same request. {OLD_NAME} is deprecated.",
    ),
    ("CreateKey", {"Tags": [{"TagKey": "a", "TagValue": ""}] * 2}, "TagException", "Duplicate tag keys"),
    (
        "CreateKey",
        {"Tags": [{"TagKey": "AWS:a", "TagValue": ""}]},
        "TagException",
        "Tags beginning with aws: are reserved",
    ),
    (
        "CreateKey",
        {"Tags": [{"TagKey": str(number), "TagValue": ""} for number in range(51)]},
        "TagException",
        "Too many tags",
    ),
]
OF_A_KEY = {"CreateAlias": "TargetKeyId", "CreateKey": None, "Decrypt": None, "DeleteAlias": None}
"""The member that names the key, where it is not KeyId."""
GIVEN = {"CreateGrant": {"GranteePrincipal": f"arn:aws:iam::{HOME.account_id}:root"}}


@pytest.mark.parametrize(("operation", "given", "code", "message"), RECORDED)
async def test_words(sqlite_aws: AwsWorld, operation: str, given: dict[str, Any], code: str, message: str) -> None:
    key = await new_key(sqlite_aws.client)
    await sqlite_aws.client.kms("CreateAlias", AliasName="alias/any", TargetKeyId=key["KeyId"])
    member = OF_A_KEY.get(operation, "KeyId")
    named = {member: key["KeyId"]} if member else {}
    reply = await sqlite_aws.client.kms(operation, **named | GIVEN.get(operation, {}) | given)
    assert error_of(reply) == (400, code, message)


async def test_states(sqlite_aws: AwsWorld) -> None:
    key, client = await new_key(sqlite_aws.client), sqlite_aws.client
    given = {"KeyId": key["KeyId"], "KeySpec": "AES_256"}
    await client.kms("DisableKey", KeyId=key["KeyId"])
    off = await client.kms("GenerateDataKey", **given)
    assert error_of(off) == (400, "DisabledException", f"{key['Arn']} is disabled.")
    await client.kms("ScheduleKeyDeletion", KeyId=key["KeyId"])
    for refused in (
        await client.kms("GenerateDataKey", **given),
        await client.kms("ScheduleKeyDeletion", KeyId=key["KeyId"]),
    ):
        assert error_of(refused) == (400, "KMSInvalidStateException", f"{key['Arn']} is pending deletion.")


async def test_a_key_of_another_account_that_lets_nobody_in_and_none_at_all(sqlite_aws: AwsWorld) -> None:
    key, eve = await new_key(sqlite_aws.client), sqlite_aws.stranger
    for arn in (key["Arn"], f"{REGIONAL}:key/{NOWHERE}", f"{REGIONAL}:alias/not"):
        reply = await eve.kms("Encrypt", KeyId=arn, Plaintext=PLAINTEXT)
        assert error_of(reply)[:2] == (400, "AccessDeniedException")
        assert reply.message == (
            f"User: arn:aws:iam::{OTHER_ACCOUNT}:root is not authorized to perform: kms:Encrypt on this resource "
            "because the resource does not exist in this Region, no resource-based policies allow access, "
            "or a resource-based policy explicitly denies access"
        )
