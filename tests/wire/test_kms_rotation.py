"""Rotation of keys through the KMS API: by the clock, on demand, and what a key remembers of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from entrepot.domain import kms_limit
from tests.support.aws import AwsWorld
from tests.support.kms import described, error_of, new_key

DAY = 24 * 3600


async def status(aws: AwsWorld, key_id: str) -> dict[str, Any]:
    reply = await aws.client.kms("GetKeyRotationStatus", KeyId=key_id)
    return {name: value for name, value in reply.parsed.items() if name != "ResponseMetadata"}


async def rotations(aws: AwsWorld, key_id: str, **parameters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await aws.client.kms("ListKeyRotations", KeyId=key_id, **parameters))["Rotations"]
    return found


async def test_on_and_off(aws: AwsWorld) -> None:
    key_id = (await new_key(aws.client))["KeyId"]
    off = {"KeyId": key_id, "KeyRotationEnabled": False}
    assert await status(aws, key_id) == off

    assert (await aws.client.kms("EnableKeyRotation", KeyId=key_id)).status == 200
    on = await status(aws, key_id)
    assert on.pop("NextRotationDate") - aws.registry.clock.now() > timedelta(days=364, hours=23)
    assert on == {"KeyId": key_id, "KeyRotationEnabled": True, "RotationPeriodInDays": 365}

    await aws.client.kms("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    assert (await status(aws, key_id))["RotationPeriodInDays"] == 90
    assert (await aws.client.kms("DisableKeyRotation", KeyId=key_id)).status == 200
    assert await status(aws, key_id) == off


@pytest.mark.parametrize("days", [89, 2561])
async def test_periods_that_there_are_not(sqlite_aws: AwsWorld, days: int) -> None:
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    reply = await sqlite_aws.client.kms("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=days)
    assert reply.code == "ValidationException"
    assert reply.message.startswith(f"1 validation error detected: Value '{days}' at 'rotationPeriodInDays' failed to")


async def test_keys_rotate_when_their_time_has_come(aws: AwsWorld) -> None:
    service = aws.registry.services.kms_rotation
    key_id, other = [(await new_key(aws.client))["KeyId"] for _ in range(2)]
    await aws.client.kms("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    await aws.client.kms("EnableKeyRotation", KeyId=other, RotationPeriodInDays=365)
    first = await described(aws.client, key_id)
    due = (await status(aws, key_id))["NextRotationDate"]

    aws.registry.clock.advance(90 * DAY - 60)
    assert await service.rotate_due() == 0
    aws.registry.clock.advance(120)
    assert await service.rotate_due() == 1
    assert await service.rotate_due() == 0

    now = await described(aws.client, key_id)
    assert now["CurrentKeyMaterialId"] != first["CurrentKeyMaterialId"]
    assert now["KeyId"] == first["KeyId"]
    (rotated,) = await rotations(aws, key_id)
    assert rotated.pop("RotationDate") >= due
    assert rotated == {
        "KeyId": key_id,
        "KeyMaterialId": now["CurrentKeyMaterialId"],
        "KeyMaterialState": "CURRENT",
        "RotationType": "AUTOMATIC",
    }
    assert (await status(aws, key_id))["NextRotationDate"] == due + timedelta(days=90)
    assert await rotations(aws, other) == []


async def test_a_key_that_is_off_rotates_once_it_is_on_again(sqlite_aws: AwsWorld) -> None:
    service = sqlite_aws.registry.services.kms_rotation
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    await sqlite_aws.client.kms("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    due = (await status(sqlite_aws, key_id))["NextRotationDate"]
    await sqlite_aws.client.kms("DisableKey", KeyId=key_id)
    sqlite_aws.registry.clock.advance(200 * DAY)
    assert await service.rotate_due() == 0
    assert (await status(sqlite_aws, key_id))["KeyRotationEnabled"]

    await sqlite_aws.client.kms("EnableKey", KeyId=key_id)
    assert await service.rotate_due() == 1
    assert len(await rotations(sqlite_aws, key_id)) == 1, "one for all that were missed"
    assert (await status(sqlite_aws, key_id))["NextRotationDate"] == due + timedelta(days=180)


async def test_a_pending_deletion_stops_rotation_until_it_is_cancelled(sqlite_aws: AwsWorld) -> None:
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    await sqlite_aws.client.kms("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
    await sqlite_aws.client.kms("ScheduleKeyDeletion", KeyId=key_id)
    assert await status(sqlite_aws, key_id) == {"KeyId": key_id, "KeyRotationEnabled": False}
    sqlite_aws.registry.clock.advance(91 * DAY)
    assert await sqlite_aws.registry.services.kms_rotation.rotate_due() == 0

    await sqlite_aws.client.kms("CancelKeyDeletion", KeyId=key_id)
    assert (await status(sqlite_aws, key_id))["RotationPeriodInDays"] == 90


async def test_on_demand(aws: AwsWorld) -> None:
    made = await new_key(aws.client)
    key_id = made["KeyId"]
    assert await rotations(aws, key_id) == []
    ids = [made["CurrentKeyMaterialId"]]
    for _ in range(3):
        assert (await aws.client.kms("RotateKeyOnDemand", KeyId=key_id))["KeyId"] == made["Arn"]
        ids.append((await described(aws.client, key_id))["CurrentKeyMaterialId"])

    assert len(set(ids)) == 4
    found = await rotations(aws, key_id)
    assert [one["KeyMaterialId"] for one in found] == ids[1:]
    assert {one["RotationType"] for one in found} == {"ON_DEMAND"}
    assert [one["KeyMaterialState"] for one in found] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]
    all_of_it = await rotations(aws, key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [one["KeyMaterialId"] for one in all_of_it] == ids
    assert set(all_of_it[0]) == {"KeyId", "KeyMaterialId", "KeyMaterialState"}

    page = await aws.client.kms("ListKeyRotations", KeyId=key_id, Limit=1)
    rest = await aws.client.kms("ListKeyRotations", KeyId=key_id, Limit=2, Marker=page["NextMarker"])
    assert page["Rotations"] + rest["Rotations"] == found
    assert (page["Truncated"], rest["Truncated"], "NextMarker" in rest.parsed) == (True, False, False)


async def test_on_demand_is_counted(sqlite_aws: AwsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kms_limit.ON_DEMAND_ROTATIONS_MAX == 25
    monkeypatch.setattr("entrepot.service.kms.rotation.ON_DEMAND_ROTATIONS_MAX", 1)
    made = await new_key(sqlite_aws.client)
    await sqlite_aws.client.kms("RotateKeyOnDemand", KeyId=made["KeyId"])
    refused = await sqlite_aws.client.kms("RotateKeyOnDemand", KeyId=made["KeyId"])
    assert refused.code == "LimitExceededException"
    assert refused.message.endswith(f"No more on-demand rotations can be performed for this key: {made['Arn']}")


@pytest.mark.parametrize("operation", ["EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"])
async def test_keys_that_are_off(sqlite_aws: AwsWorld, operation: str) -> None:
    made = await new_key(sqlite_aws.client)
    await sqlite_aws.client.kms("DisableKey", KeyId=made["KeyId"])
    reply = await sqlite_aws.client.kms(operation, KeyId=made["KeyId"])
    assert error_of(reply) == (400, "DisabledException", f"{made['Arn']} is disabled.")
