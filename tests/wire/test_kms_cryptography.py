"""Cryptography through the KMS API: what is encrypted comes back under the same key and context, and only there."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.aws import AwsClient, AwsWorld, Reply
from tests.support.iam_rows import document
from tests.support.kms import error_of, new_key
from tests.support.person import make_user
from tests.support.registry import HOME, OTHER_ACCOUNT

CONTEXT = {"app": "shop", "stage": "prod"}
SECRET = base64.b64encode(b"the secret").decode()


def text(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


async def encrypt(client: AwsClient, key_id: str, **more: Any) -> bytes:
    blob: bytes = (await client.kms("Encrypt", KeyId=key_id, Plaintext=SECRET, **more))["CiphertextBlob"]
    return blob


async def decrypt(client: AwsClient, blob: bytes, **more: Any) -> Reply:
    return await client.kms("Decrypt", CiphertextBlob=text(blob), **more)


async def test_there_and_back(aws: AwsWorld) -> None:
    key = await new_key(aws.client)
    made = await aws.client.kms("Encrypt", KeyId=key["KeyId"], Plaintext=SECRET, EncryptionContext=CONTEXT)
    assert (made["KeyId"], made["EncryptionAlgorithm"]) == (key["Arn"], "SYMMETRIC_DEFAULT")
    assert b"the secret" not in made["CiphertextBlob"]

    opened = await decrypt(aws.client, made["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == b"the secret"
    assert (opened["KeyId"], opened["EncryptionAlgorithm"]) == (key["Arn"], "SYMMETRIC_DEFAULT")
    assert opened["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    again = await aws.client.kms("Encrypt", KeyId=key["KeyId"], Plaintext=SECRET, EncryptionContext=CONTEXT)
    assert again["CiphertextBlob"] != made["CiphertextBlob"]


async def test_the_log_has_key_context_and_caller_and_no_secret(sqlite_aws: AwsWorld) -> None:
    """A dry run, of whose result nobody hears, leaves no line."""
    key, root = await new_key(sqlite_aws.client), f"arn:aws:iam::{HOME.account_id}:root"
    with capture_logs() as lines:
        blob = await encrypt(sqlite_aws.client, key["KeyId"], EncryptionContext=CONTEXT)
        await decrypt(sqlite_aws.client, blob, EncryptionContext=CONTEXT)
        await decrypt(sqlite_aws.client, blob)
        for refused in (
            await decrypt(sqlite_aws.client, blob, EncryptionContext=CONTEXT, DryRun=True),
            await sqlite_aws.client.kms("Encrypt", KeyId=key["KeyId"], Plaintext=SECRET, DryRun=True),
        ):
            assert refused.code == "DryRunOperationException"

    used = [line for line in lines if line["event"].startswith("kms.")]
    said = {"key": key["Arn"], "context": CONTEXT, "by": root, "log_level": "info"}
    assert used == [{**said, "event": "kms.encrypted"}, {**said, "event": "kms.decrypted"}]
    assert not any(secret in str(lines) for secret in ("the secret", SECRET, text(blob)))


async def test_every_name_of_the_key(aws: AwsWorld) -> None:
    key = await new_key(aws.client)
    await aws.client.kms("CreateAlias", AliasName="alias/build", TargetKeyId=key["KeyId"])
    alias_arn = key["Arn"].replace(f"key/{key['KeyId']}", "alias/build")
    for name in (key["KeyId"], key["Arn"], "alias/build", alias_arn):
        blob = await encrypt(aws.client, name)
        assert (await decrypt(aws.client, blob, KeyId=name))["Plaintext"] == b"the secret"


@pytest.mark.parametrize("context", [{}, {"app": "shop"}, {**CONTEXT, "more": ""}, {"app": "prod", "stage": "shop"}])
async def test_another_context_opens_nothing(sqlite_aws: AwsWorld, context: dict[str, str]) -> None:
    key = await new_key(sqlite_aws.client)
    blob = await encrypt(sqlite_aws.client, key["KeyId"], EncryptionContext=CONTEXT)
    refused = await decrypt(sqlite_aws.client, blob, EncryptionContext=context)
    assert error_of(refused)[:2] == (400, "InvalidCiphertextException")


async def test_what_is_no_ciphertext_of_the_key(aws: AwsWorld) -> None:
    key, other = await new_key(aws.client), await new_key(aws.client)
    blob = await encrypt(aws.client, key["KeyId"])

    wrong = await decrypt(aws.client, blob, KeyId=other["KeyId"])
    assert error_of(wrong) == (
        400,
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
    versions = [blob[:22] + number.to_bytes(4) + blob[26:] for number in (0, 2, 2**31 - 1, 2**31, 2**32 - 1)]
    for one in (blob[:-1] + bytes([blob[-1] ^ 1]), blob + b"x", blob[:40], b"x" * 100, *versions):
        assert (await decrypt(aws.client, one)).code == "InvalidCiphertextException"


async def test_a_ciphertext_of_a_key_that_there_is_not(aws: AwsWorld) -> None:
    """Spec: AWS's own words, which Kubernetes's encryption provider looks for."""
    blob = await encrypt(aws.client, (await new_key(aws.client))["KeyId"])
    foreign = blob[:10] + bytes([blob[10] ^ 1]) + blob[11:]
    elsewhere = AwsClient(aws.gateway, aws.client.key, aws.client.now, "eu-west-1")
    for client, one in ((aws.client, foreign), (elsewhere, blob)):
        refused = await decrypt(client, one)
        assert error_of(refused)[:2] == (400, "AccessDeniedException")
        assert refused.message == (
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
            "or you are not allowed to access."
        )


async def test_older_material_still_decrypts_after_rotation(aws: AwsWorld) -> None:
    key = await new_key(aws.client)
    before = await encrypt(aws.client, key["KeyId"])
    assert (await aws.client.kms("RotateKeyOnDemand", KeyId=key["KeyId"])).status == 200
    after = await encrypt(aws.client, key["KeyId"])

    old, new = await decrypt(aws.client, before), await decrypt(aws.client, after)
    assert old["Plaintext"] == new["Plaintext"] == b"the secret"
    assert old["KeyMaterialId"] == key["CurrentKeyMaterialId"] != new["KeyMaterialId"]


async def test_keys_that_are_off_or_about_to_go(aws: AwsWorld) -> None:
    key = await new_key(aws.client)
    blob = await encrypt(aws.client, key["KeyId"])
    await aws.client.kms("DisableKey", KeyId=key["KeyId"])
    assert error_of(await decrypt(aws.client, blob)) == (400, "DisabledException", f"{key['Arn']} is disabled.")
    refused = await aws.client.kms("GenerateDataKey", KeyId=key["KeyId"], KeySpec="AES_256")
    assert refused.code == "DisabledException"

    await aws.client.kms("EnableKey", KeyId=key["KeyId"])
    assert (await decrypt(aws.client, blob)).status == 200
    await aws.client.kms("ScheduleKeyDeletion", KeyId=key["KeyId"], PendingWindowInDays=7)
    gone = await decrypt(aws.client, blob)
    assert error_of(gone) == (400, "KMSInvalidStateException", f"{key['Arn']} is pending deletion.")


@pytest.mark.parametrize(
    ("given", "size"), [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024)]
)
async def test_data_keys(sqlite_aws: AwsWorld, given: dict[str, Any], size: int) -> None:
    key = await new_key(sqlite_aws.client)
    for operation in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
        made = await sqlite_aws.client.kms(operation, KeyId=key["KeyId"], EncryptionContext=CONTEXT, **given)
        assert (made["KeyId"], made["KeyMaterialId"]) == (key["Arn"], key["CurrentKeyMaterialId"])
        opened = await decrypt(sqlite_aws.client, made["CiphertextBlob"], EncryptionContext=CONTEXT)
        assert len(opened["Plaintext"]) == size
        assert made.parsed.get("Plaintext") == (opened["Plaintext"] if operation == "GenerateDataKey" else None)


async def test_re_encryption(aws: AwsWorld) -> None:
    source, target = await new_key(aws.client), await new_key(aws.client)
    blob = await encrypt(aws.client, source["KeyId"], EncryptionContext=CONTEXT)
    moved = await aws.client.kms(
        "ReEncrypt",
        CiphertextBlob=text(blob),
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=target["KeyId"],
        DestinationEncryptionContext={"now": "here"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (source["Arn"], target["Arn"])
    assert moved["SourceEncryptionAlgorithm"] == moved["DestinationEncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    opened = await decrypt(aws.client, moved["CiphertextBlob"], EncryptionContext={"now": "here"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"the secret", target["Arn"])


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Encrypt", {"Plaintext": ""}, "ValidationException"),
    ("Encrypt", {"Plaintext": text(b"x" * 4097)}, "ValidationException"),
    ("Encrypt", {"Plaintext": SECRET, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, "InvalidKeyUsageException"),
    ("Encrypt", {"Plaintext": SECRET, "EncryptionAlgorithm": "nonsense"}, "ValidationException"),
    ("Encrypt", {"Plaintext": SECRET, "DryRun": True}, "DryRunOperationException"),
    ("Encrypt", {"Plaintext": SECRET, "GrantTokens": ["nonsense"]}, "InvalidGrantTokenException"),
    ("Encrypt", {"Plaintext": SECRET, "EncryptionContext": {"a": 1}}, "SerializationException"),
    ("Encrypt", {"Plaintext": "no base64"}, "SerializationException"),
    ("Decrypt", {"CiphertextBlob": SECRET, "Recipient": {"AttestationDocument": "YQ=="}}, "ValidationException"),
    ("GenerateDataKey", {}, "ValidationException"),
    ("GenerateDataKey", {"KeySpec": "AES_256", "NumberOfBytes": 32}, "ValidationException"),
    ("GenerateDataKey", {"NumberOfBytes": 0}, "ValidationException"),
    ("GenerateDataKey", {"NumberOfBytes": 1025}, "ValidationException"),
    ("GenerateDataKey", {"KeySpec": "AES_512"}, "ValidationException"),
    ("GenerateDataKey", {"KeySpec": "AES_256", "DryRun": True}, "DryRunOperationException"),
    ("Decrypt", {}, "ValidationException"),
    ("Decrypt", {"CiphertextBlob": ""}, "ValidationException"),
    ("Decrypt", {"CiphertextBlob": text(b"x" * 6145)}, "ValidationException"),
]


@pytest.mark.parametrize(("operation", "given", "code"), REFUSED)
async def test_refusals(sqlite_aws: AwsWorld, operation: str, given: dict[str, Any], code: str) -> None:
    key = await new_key(sqlite_aws.client)
    reply = await sqlite_aws.client.kms(operation, KeyId=key["KeyId"], **given)
    assert (reply.status, reply.code) == (400, code), reply.parsed


async def test_keys_that_there_are_not(sqlite_aws: AwsWorld) -> None:
    nowhere = "12366f9b-1230-123d-123e-123e6ae60c02"
    for name in (nowhere, "alias/nothing"):
        reply = await sqlite_aws.client.kms("Encrypt", KeyId=name, Plaintext=SECRET)
        assert reply.code == "NotFoundException"


async def test_the_context_decides_with_the_policy(aws: AwsWorld) -> None:
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    await ana.have(document("kms:Decrypt", Condition={"StringEquals": {"kms:EncryptionContext:app": "shop"}}))
    mine = await encrypt(aws.client, key["KeyId"], EncryptionContext=CONTEXT)
    other = await encrypt(aws.client, key["KeyId"], EncryptionContext={"app": "bank"})
    bare = await encrypt(aws.client, key["KeyId"])

    assert (await decrypt(ana.aws, mine, EncryptionContext=CONTEXT))["Plaintext"] == b"the secret"
    assert (await decrypt(ana.aws, other, EncryptionContext={"app": "bank"})).code == "AccessDeniedException"
    assert (await decrypt(ana.aws, bare)).code == "AccessDeniedException"
    assert (await ana.aws.kms("Encrypt", KeyId=key["KeyId"], Plaintext=SECRET)).code == "AccessDeniedException"


async def test_re_encryption_needs_both_keys(aws: AwsWorld) -> None:
    source, target, ana = await new_key(aws.client), await new_key(aws.client), await make_user(aws, "ana")
    blob = await encrypt(aws.client, source["KeyId"])
    given = {"CiphertextBlob": text(blob), "DestinationKeyId": target["KeyId"]}
    await ana.have(document("kms:ReEncryptFrom", Resource=source["Arn"]))
    refused = await ana.aws.kms("ReEncrypt", **given)
    assert refused.code == "AccessDeniedException"
    assert "kms:ReEncryptTo" in refused.message
    assert target["Arn"] in refused.message
    await ana.have(
        document("kms:ReEncrypt*", Resource=source["Arn"]), document("kms:ReEncryptTo", Resource=target["Arn"])
    )
    assert (await ana.aws.kms("ReEncrypt", **given)).status == 200
    assert (await ana.aws.kms("ReEncrypt", **given, SourceKeyId=target["KeyId"])).code == "AccessDeniedException"


async def test_another_account_needs_both_sides(aws: AwsWorld) -> None:
    key = await new_key(aws.client)
    stranger, blob = aws.stranger, await encrypt(aws.client, key["KeyId"])
    assert (await decrypt(stranger, blob)).code == "AccessDeniedException"
    statements = [
        {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": HOME.account_id}},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Principal": {"AWS": OTHER_ACCOUNT}},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    assert (await aws.client.kms("PutKeyPolicy", KeyId=key["KeyId"], Policy=policy)).status == 200
    assert (await decrypt(stranger, blob))["Plaintext"] == b"the secret"
    assert (await stranger.kms("Encrypt", KeyId=key["Arn"], Plaintext=SECRET)).code == "AccessDeniedException"
