"""Tags of keys through the KMS API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.aws import AwsWorld
from tests.support.kms import error_of, new_key


def tags(**values: str) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in values.items()]


async def listed(aws: AwsWorld, key_id: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await aws.client.kms("ListResourceTags", KeyId=key_id))["Tags"]
    return found


async def test_tags_come_and_go(aws: AwsWorld) -> None:
    key_id = (await new_key(aws.client, Tags=tags(tag1="value1", tag2="value2", Tag1="other")))["KeyId"]
    assert await listed(aws, key_id) == tags(Tag1="other", tag1="value1", tag2="value2")

    await aws.client.kms("TagResource", KeyId=key_id, Tags=tags(tag2="new", tag3=""))
    assert await listed(aws, key_id) == tags(Tag1="other", tag1="value1", tag2="new", tag3="")
    reply = await aws.client.kms("UntagResource", KeyId=key_id, TagKeys=["tag1", "tag3", "nothing"])
    assert reply.response.body == b"{}"
    assert await listed(aws, key_id) == tags(Tag1="other", tag2="new")


async def test_more_tags_are_taken_away_than_a_statement_can_name(aws: AwsWorld) -> None:
    key_id = (await new_key(aws.client, Tags=tags(tag1="value1", tag2="value2")))["KeyId"]
    names = [f"n{number}" for number in range(70_000)]
    assert (await aws.client.kms("UntagResource", KeyId=key_id, TagKeys=[*names, "tag1"])).status == 200
    assert await listed(aws, key_id) == tags(tag2="value2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([*tags(a="1"), *tags(a="2")], "Duplicate tag keys"),
        (tags(**{f"key{number}": "" for number in range(51)}), "Too many tags"),
        (tags(**{"aws:key1": "value1"}), "Tags beginning with aws: are reserved"),
        (tags(**{"AWS:key1": "value1"}), "Tags beginning with aws: are reserved"),
    ],
)
async def test_tags_that_no_key_can_have(sqlite_aws: AwsWorld, given: list[Any], message: str) -> None:
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    for reply in (
        await sqlite_aws.client.kms("TagResource", KeyId=key_id, Tags=given),
        await sqlite_aws.client.kms("CreateKey", Tags=given),
    ):
        assert error_of(reply) == (400, "TagException", message)
    assert await listed(sqlite_aws, key_id) == []


async def test_tags_are_counted_over_all_requests(sqlite_aws: AwsWorld) -> None:
    fifty = tags(**{f"key{number:02}": "" for number in range(50)})
    key_id = (await new_key(sqlite_aws.client, Tags=fifty))["KeyId"]
    assert (await sqlite_aws.client.kms("TagResource", KeyId=key_id, Tags=tags(one="more"))).code == "TagException"
    assert (await sqlite_aws.client.kms("TagResource", KeyId=key_id, Tags=tags(key00="new"))).status == 200

    first = await sqlite_aws.client.kms("ListResourceTags", KeyId=key_id, Limit=30)
    rest = await sqlite_aws.client.kms("ListResourceTags", KeyId=key_id, Limit=30, Marker=first["NextMarker"])
    assert [tag["TagKey"] for tag in first["Tags"] + rest["Tags"]] == [tag["TagKey"] for tag in fifty]


@pytest.mark.parametrize(
    ("tag", "what"),
    [
        (
            {"TagKey": "a" * 129, "TagValue": "b"},
            "'tags.1.member.tagKey' failed to satisfy",
        ),
        ({"TagKey": "a", "TagValue": "b" * 257}, "'tags.1.member.tagValue' failed to satisfy"),
    ],
)
async def test_long_tags(sqlite_aws: AwsWorld, tag: dict[str, str], what: str) -> None:
    reply = await sqlite_aws.client.kms("CreateKey", Tags=[tag])
    assert (reply.status, reply.code) == (400, "ValidationException")
    assert what in reply.message
