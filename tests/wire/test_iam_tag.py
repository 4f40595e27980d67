"""Tags through the IAM API. Users, roles and policies have one implementation; each test runs for all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.registry import OTHER_ACCOUNT
from tests.wire.test_iam_user import ACCOUNT, PATTERN, refusal

DUPLICATE = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
STATEMENT = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
GRANT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]})
MORE = {"User": {}, "Role": {"AssumeRolePolicyDocument": TRUST}, "Policy": {"PolicyDocument": GRANT}}


@dataclass
class Kind:
    """Calls on a user, role or policy called `mia`."""

    aws: AwsWorld
    noun: str

    async def make(self, *pairs: tuple[str, str]) -> Reply:
        named = {f"{self.noun}Name": "mia", **MORE[self.noun]}
        return await self.aws.client.iam(f"Create{self.noun}", **named, Tags=packed(*pairs))

    def named(self, name: str = "mia") -> dict[str, str]:
        if self.noun == "Policy":
            return {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/{name}"}
        return {f"{self.noun}Name": name}

    @property
    def missing(self) -> tuple[int, str, str]:
        """What is said when there is nothing called `none`."""
        if self.noun == "Policy":
            return 404, "NoSuchEntity", f"Policy arn:aws:iam::{ACCOUNT}:policy/none was not found."
        return 404, "NoSuchEntity", f"The {self.noun.lower()} with name none cannot be found."

    async def tag(self, *pairs: tuple[str, str], name: str = "mia") -> Reply:
        return await self.aws.client.iam(f"Tag{self.noun}", **self.named(name), Tags=packed(*pairs))

    async def untag(self, *keys: str, name: str = "mia") -> Reply:
        return await self.aws.client.iam(f"Untag{self.noun}", **self.named(name), TagKeys=keys)

    async def listed(self, name: str = "mia", **parameters: Any) -> Reply:
        return await self.aws.client.iam(f"List{self.noun}Tags", **self.named(name), **parameters)

    async def tags(self) -> list[tuple[str, str]]:
        return [(tag["Key"], tag["Value"]) for tag in (await self.listed())["Tags"]]


def packed(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs]


@pytest.fixture(params=sorted(MORE))
def kind(aws: AwsWorld, request: pytest.FixtureRequest) -> Kind:
    return Kind(aws, request.param)


async def test_tags_come_change_and_go(kind: Kind) -> None:
    await kind.make()
    empty = await kind.listed()
    assert (empty["Tags"], empty["IsTruncated"]) == ([], False)

    assert (await kind.tag(("somekey", "v"), ("someother", "w"))).status == 200
    assert (await kind.tag(("somekey", ""), ("Größe 1", "a/b=c+d-e@f:g_h.i"))).status == 200
    assert await kind.tags() == [("Größe 1", "a/b=c+d-e@f:g_h.i"), ("somekey", ""), ("someother", "w")]
    shown = (await kind.aws.client.iam(f"Get{kind.noun}", **kind.named()))[kind.noun]["Tags"]
    assert shown == packed(*await kind.tags())
    assert (await kind.untag("SOMEKEY", "not-there")).status == 200
    assert [key for key, _ in await kind.tags()] == ["Größe 1", "someother"]


async def test_a_key_in_another_case_replaces_the_tag(kind: Kind) -> None:
    await kind.make(("Department", "a"))
    await kind.tag(("department", "b"))

    assert await kind.tags() == [("department", "b")]


async def test_fifty_tags_fit(kind: Kind) -> None:
    await kind.make(*((f"k{number:02}", "") for number in range(49)))

    assert (await kind.tag(("K00", "again"), ("k49", ""))).status == 200
    assert refusal(await kind.tag(("k50", ""))) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for TagsPerResource: 50",
    )
    assert len(await kind.tags()) == 50
    first = await kind.listed(MaxItems=30)
    second = await kind.listed(MaxItems=30, Marker=first["Marker"])
    assert [tag["Key"] for tag in first["Tags"] + second["Tags"]] == ["K00", *(f"k{n:02}" for n in range(1, 50))]
    assert (first["IsTruncated"], second["IsTruncated"]) == (True, False)


async def test_what_is_not_there_has_no_tags(kind: Kind) -> None:
    assert refusal(await kind.tag(("k", "v"), name="none")) == kind.missing
    assert refusal(await kind.untag("k", name="none")) == kind.missing
    assert refusal(await kind.listed("none")) == kind.missing


async def test_bad_tags_change_nothing(kind: Kind) -> None:
    await kind.make(("k", "v"))
    broken = "1 validation error detected: Value at"
    fails = "failed to satisfy constraint: Member must"
    item = (
        f"{fails} satisfy constraint: [Member must have length less than or equal to 128, Member must have length "
        f"greater than or equal to 1, Member must {PATTERN}+, Member must not be null]"
    )
    many = [f"k{number}" for number in range(51)]
    for reply, code, message in [
        (await kind.tag(("a", "1"), ("A", "2")), "InvalidInput", DUPLICATE),
        (
            await kind.tag(("aws:a", "1")),
            "InvalidInput",
            "The tag key prefix 'aws:' is reserved for AWS and cannot be used.",
        ),
        (
            await kind.tag(*((key, "") for key in many)),
            "ValidationError",
            f"{broken} 'tags' {fails} have length less than or equal to 50",
        ),
        (
            await kind.untag(*many),
            "ValidationError",
            f"{broken} 'tagKeys' {fails} have length less than or equal to 50",
        ),
        (await kind.untag("k", "k" * 129), "ValidationError", f"{broken} 'tagKeys' {item}"),
        (await kind.untag("k", "bad*"), "ValidationError", f"{broken} 'tagKeys' {item}"),
    ]:
        assert refusal(reply) == (400, code, message)
    assert await kind.tags() == [("k", "v")]


async def test_tags_go_with_what_has_them(kind: Kind) -> None:
    await kind.make(("k", "v"))
    assert (await kind.aws.client.iam(f"Delete{kind.noun}", **kind.named())).status == 200
    await kind.make()

    assert await kind.tags() == []


async def test_policies_of_aws_have_no_tags(aws: AwsWorld) -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"

    assert (await aws.client.iam("ListPolicyTags", PolicyArn=arn))["Tags"] == []
    tagged = await aws.client.iam("TagPolicy", PolicyArn=arn, Tags=packed(("k", "v")))
    untagged = await aws.client.iam("UntagPolicy", PolicyArn=arn, TagKeys=["k"])
    assert (tagged.code, untagged.code) == ("AccessDenied", "AccessDenied")
    theirs = f"arn:aws:iam::{OTHER_ACCOUNT}:policy/mia"
    await aws.stranger.iam("CreatePolicy", PolicyName="mia", PolicyDocument=GRANT)
    assert (await aws.client.iam("ListPolicyTags", PolicyArn=theirs)).status in (403, 404)
