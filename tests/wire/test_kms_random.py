"""Random bytes through the KMS API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.aws import AwsWorld

ENCLAVE = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "YQ=="}
BROKEN = "1 validation error detected: Value '{}' at 'numberOfBytes' failed to satisfy constraint: Member must have "


@pytest.mark.parametrize("count", [1, 32, 1024])
async def test_as_many_as_wanted_and_never_the_same(sqlite_aws: AwsWorld, count: int) -> None:
    bags = [(await sqlite_aws.client.kms("GenerateRandom", NumberOfBytes=count))["Plaintext"] for _ in range(4)]

    assert [len(bag) for bag in bags] == [count] * 4
    assert len(set(bags)) == 4 or count == 1


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({}, "ValidationException", "NumberOfBytes is required."),
        (
            {"NumberOfBytes": 0},
            "ValidationException",
            f"{BROKEN.format(0)}value greater than or equal to 1",
        ),
        (
            {"NumberOfBytes": 1025},
            "ValidationException",
            f"{BROKEN.format(1025)}value less than or equal to 1024",
        ),
        (
            {"NumberOfBytes": 8, "CustomKeyStoreId": "cks-1"},
            "CustomKeyStoreNotFoundException",
            "Custom key store cks-1 is not found.",
        ),
        (
            {"NumberOfBytes": 8, "Recipient": ENCLAVE},
            "UnsupportedOperationException",
            "Recipient is not supported: this server attests no enclaves.",
        ),
    ],
)
async def test_refusals(sqlite_aws: AwsWorld, given: dict[str, Any], code: str, message: str) -> None:
    reply = await sqlite_aws.client.kms("GenerateRandom", **given)

    assert (reply.status, reply.code, reply.message) == (400, code, message)


async def test_what_is_missing_says_so(sqlite_aws: AwsWorld) -> None:
    assert (await sqlite_aws.client.kms("Sign")).code == "UnknownOperationException"
