"""OpenID Connect providers through the IAM API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.registry import HOME, OTHER_ACCOUNT

URL = "https://issuer.example.com/ci"
ARN = f"arn:aws:iam::{HOME.account_id}:oidc-provider/issuer.example.com/ci"
THUMB = "a" * 40


async def create(aws: AwsWorld, **parameters: Any) -> Reply:
    given = {"Url": URL, "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": [THUMB]}
    return await aws.client.iam("CreateOpenIDConnectProvider", **(given | parameters))


async def get(aws: AwsWorld, arn: str = ARN) -> Reply:
    return await aws.client.iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)


def refusal(reply: Reply) -> tuple[int, str | None]:
    return reply.status, reply.code


async def test_from_create_to_delete(aws: AwsWorld) -> None:
    made = await create(aws, Tags=[{"Key": "team", "Value": "web"}])
    assert (made["OpenIDConnectProviderArn"], made["Tags"]) == (ARN, [{"Key": "team", "Value": "web"}])

    shown = await get(aws)
    assert shown["Url"] == "issuer.example.com/ci"
    assert (shown["ClientIDList"], shown["ThumbprintList"]) == (["sts.amazonaws.com"], [THUMB])
    assert shown["Tags"] == [{"Key": "team", "Value": "web"}]
    assert abs(shown["CreateDate"] - aws.registry.clock.now()) < timedelta(seconds=30)
    assert (await aws.client.iam("ListOpenIDConnectProviders"))["OpenIDConnectProviderList"] == [{"Arn": ARN}]

    for _ in range(2):
        assert (await aws.client.iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=ARN)).status == 200
    assert refusal(await get(aws)) == (404, "NoSuchEntity")
    assert (await aws.client.iam("ListOpenIDConnectProviders"))["OpenIDConnectProviderList"] == []


async def test_one_of_an_issuer(aws: AwsWorld) -> None:
    await create(aws)
    again = await create(aws)
    assert refusal(again) == (409, "EntityAlreadyExists")
    assert again.message == f"Provider with url {URL} already exists."


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example.com",
        "issuer.example.com",
        "https://",
        "https://issuer.example.com?a=b",
        "https://a@b.c",
        "https://issuer.example.com/#a",
        "https://[",
        "https://a:b/",
        "https://" + "a" * 250,
    ],
)
async def test_urls_that_no_issuer_has(aws: AwsWorld, url: str) -> None:
    reply = await create(aws, Url=url)
    assert refusal(reply) == (400, "ValidationError")


async def test_client_ids(aws: AwsWorld) -> None:
    await create(aws)
    for operation, client_id in (("Add", "a"), ("Add", "a"), ("Add", "b")):
        name = f"{operation}ClientIDToOpenIDConnectProvider"
        assert (await aws.client.iam(name, OpenIDConnectProviderArn=ARN, ClientID=client_id)).status == 200
    assert (await get(aws))["ClientIDList"] == ["sts.amazonaws.com", "a", "b"]
    for client_id in ("a", "a", "nix"):
        name = "RemoveClientIDFromOpenIDConnectProvider"
        assert (await aws.client.iam(name, OpenIDConnectProviderArn=ARN, ClientID=client_id)).status == 200
    assert (await get(aws))["ClientIDList"] == ["sts.amazonaws.com", "b"]


async def test_client_ids_have_a_quota(aws: AwsWorld) -> None:
    too_many = await create(aws, ClientIDList=[str(number) for number in range(101)])
    assert refusal(too_many) == (409, "LimitExceeded")
    await create(aws, ClientIDList=[str(number) for number in range(100)])
    one_more = await aws.client.iam("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=ARN, ClientID="x")
    assert refusal(one_more) == (409, "LimitExceeded")


async def test_they_count_in_the_summary(aws: AwsWorld) -> None:
    await create(aws)
    await create(aws, Url="https://other.example.com")
    await aws.stranger.iam("CreateOpenIDConnectProvider", Url=URL)
    assert (await aws.client.iam("GetAccountSummary"))["SummaryMap"]["Providers"] == 2


async def test_thumbprints_have_a_limit(aws: AwsWorld) -> None:
    many = [str(number) * 40 for number in range(6)]
    refused = await create(aws, ThumbprintList=many)
    assert refusal(refused) == (400, "InvalidInput")
    assert refused.message == "Thumbprint list must contain fewer than 5 entries."
    await create(aws, ThumbprintList=many[:5])
    update = {"OpenIDConnectProviderArn": ARN, "ThumbprintList": many}
    assert refusal(await aws.client.iam("UpdateOpenIDConnectProviderThumbprint", **update)) == (400, "InvalidInput")


async def test_thumbprints(aws: AwsWorld) -> None:
    await create(aws)
    update = {"OpenIDConnectProviderArn": ARN, "ThumbprintList": ["b" * 40]}
    assert (await aws.client.iam("UpdateOpenIDConnectProviderThumbprint", **update)).status == 200
    assert (await get(aws))["ThumbprintList"] == ["b" * 40]
    short = await aws.client.iam("UpdateOpenIDConnectProviderThumbprint", **(update | {"ThumbprintList": ["b"]}))
    assert refusal(short) == (400, "ValidationError")


async def test_tags(aws: AwsWorld) -> None:
    await create(aws)
    named = {"OpenIDConnectProviderArn": ARN}
    await aws.client.iam(
        "TagOpenIDConnectProvider", **named, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    )
    await aws.client.iam("UntagOpenIDConnectProvider", **named, TagKeys=["A"])
    assert (await aws.client.iam("ListOpenIDConnectProviderTags", **named))["Tags"] == [{"Key": "b", "Value": ""}]


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (f"arn:aws:iam::{HOME.account_id}:oidc-provider/nobody.example", (404, "NoSuchEntity")),
        (f"arn:aws:iam::{OTHER_ACCOUNT}:oidc-provider/issuer.example.com/ci", (404, "NoSuchEntity")),
        (f"arn:aws:iam::{HOME.account_id}:role/issuer.example.com", (400, "ValidationError")),
        ("x" * 30, (400, "ValidationError")),
    ],
)
async def test_providers_that_are_not_there(aws: AwsWorld, arn: str, expected: tuple[int, str]) -> None:
    reply = await get(aws, arn)
    assert refusal(reply) in (expected, (400, "AccessDenied"), (403, "AccessDenied"))
