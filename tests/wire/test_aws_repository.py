"""Repositories and their resource tags in the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.aws import AwsWorld

HOME = "123456789012"
ARN = f"arn:aws:ecr:us-east-1:{HOME}:repository/team/app"


async def test_create_answers_the_whole_repository(aws: AwsWorld) -> None:
    before = aws.registry.clock.now()

    made = (await aws.client.ecr("CreateRepository", repositoryName="team/app"))["repository"]

    created_at = made.pop("createdAt")
    assert abs((created_at - before).total_seconds()) < 60
    assert made == {
        "repositoryArn": ARN,
        "registryId": HOME,
        "repositoryName": "team/app",
        "repositoryUri": "127.0.0.1:5000/team/app",
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }


async def test_create_with_everything(aws: AwsWorld) -> None:
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    made = await aws.client.ecr(
        "CreateRepository",
        repositoryName="team/app",
        registryId=HOME,
        tags=[{"Key": "team", "Value": "a"}],
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "AES256"},
    )

    assert made["repository"]["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert made["repository"]["imageTagMutabilityExclusionFilters"] == filters
    assert made["repository"]["imageScanningConfiguration"] == {"scanOnPush": True}
    tags = await aws.client.ecr("ListTagsForResource", resourceArn=ARN)
    assert tags["tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
            "InvalidParameterException",
            (
                "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
                "'ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as "
                "IMMUTABLE_WITH_EXCLUSION'"
            ),
        ),
        (
            {"imageTagMutability": "invalid"},
            "InvalidParameterException",
            (
                "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum "
                "value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]'"
            ),
        ),
        (
            {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/none"}},
            "KmsException",
            (
                "The key arn:aws:kms:us-east-1:123456789012:alias/none cannot be used: NotFoundException: Alias "
                "arn:aws:kms:us-east-1:123456789012:alias/none is not found."
            ),
        ),
        (
            {"encryptionConfiguration": {"encryptionType": "AES256", "kmsKey": "alias/x"}},
            "InvalidParameterException",
            (
                "Invalid parameter at 'encryptionConfiguration.kmsKey' failed to satisfy constraint: 'Member must be "
                "null when encryptionType is AES256'"
            ),
        ),
        (
            {"tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]},
            "TooManyTagsException",
            (
                "The list of tags on the repository is over the limit. The maximum number of tags that can be applied "
                "to a repository is 50."
            ),
        ),
        (
            {"tags": [{"Key": "aws:x", "Value": ""}]},
            "InvalidTagParameterException",
            "The tag key 'aws:x' starts with aws:, which is reserved",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
async def test_create_refusals(aws: AwsWorld, parameters: dict[str, Any], code: str, message: str) -> None:
    refused = await aws.client.ecr("CreateRepository", repositoryName="team/app", **parameters)

    assert (refused.status, refused.code, refused.message) == (400, code, message)
    assert (await aws.client.ecr("DescribeRepositories"))["repositories"] == []


async def test_a_name_is_taken_once_per_account_and_region(aws: AwsWorld) -> None:
    await aws.create("team/app")

    again = await aws.client.ecr("CreateRepository", repositoryName="team/app")
    assert again.code == "RepositoryAlreadyExistsException"
    assert again.message == (
        "The repository with name 'team/app' already exists in the registry with id '123456789012'"
    )
    assert (await aws.stranger.ecr("CreateRepository", repositoryName="team/app")).status == 200


async def test_describe_pages_by_name(aws: AwsWorld) -> None:
    for name in ("b", "a", "c"):
        await aws.create(f"x/{name}")

    first = await aws.client.ecr("DescribeRepositories", maxResults=2)
    second = await aws.client.ecr("DescribeRepositories", maxResults=2, nextToken=first["nextToken"])

    assert [r["repositoryName"] for r in first["repositories"]] == ["x/a", "x/b"]
    assert [r["repositoryName"] for r in second["repositories"]] == ["x/c"]
    assert "nextToken" not in second.parsed


async def test_describe_by_name(aws: AwsWorld) -> None:
    await aws.create("x/a")
    await aws.create("x/b")

    named = await aws.client.ecr("DescribeRepositories", repositoryNames=["x/b"])
    missing = await aws.client.ecr("DescribeRepositories", repositoryNames=["x/a", "x/c"])
    both = await aws.client.ecr("DescribeRepositories", repositoryNames=["x/a"], maxResults=1)

    assert [r["repositoryName"] for r in named["repositories"]] == ["x/b"]
    assert missing.code == "RepositoryNotFoundException"
    assert missing.message == "The repository with name 'x/c' does not exist in the registry with id '123456789012'"
    assert both.code == "InvalidParameterException"


async def test_tokens_belong_to_their_question(aws: AwsWorld) -> None:
    for name in ("a", "b"):
        await aws.create(f"x/{name}")
        await aws.stranger.ecr("CreateRepository", repositoryName=f"x/{name}")
    token = (await aws.client.ecr("DescribeRepositories", maxResults=1))["nextToken"]

    mine = await aws.client.ecr("DescribeRepositories", maxResults=50, nextToken=token)
    refused = [
        await aws.stranger.ecr("DescribeRepositories", nextToken=token),
        await aws.client.ecr("ListImages", repositoryName="x/a", nextToken=token),
        await aws.client.ecr("DescribeRepositories", nextToken=token[:-4] + "AAAA"),
        await aws.client.ecr("DescribeRepositories", nextToken="nonsense"),
        await aws.client.ecr("DescribeRepositories", nextToken="é" * 9000),
    ]

    assert [r["repositoryName"] for r in mine["repositories"]] == ["x/b"]
    assert {(r.code, r.message) for r in refused} == {
        ("InvalidParameterException", "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
    }


async def test_settings_change(aws: AwsWorld) -> None:
    await aws.create()

    tags = await aws.client.ecr(
        "PutImageTagMutability",
        repositoryName="team/app",
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "v*"}],
    )
    scanning = await aws.client.ecr(
        "PutImageScanningConfiguration", repositoryName="team/app", imageScanningConfiguration={"scanOnPush": True}
    )
    shown = (await aws.client.ecr("DescribeRepositories"))["repositories"][0]

    tags.parsed.pop("ResponseMetadata")
    assert tags.parsed == {
        "registryId": HOME,
        "repositoryName": "team/app",
        "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "v*"}],
    }
    assert scanning["imageScanningConfiguration"] == {"scanOnPush": True}
    assert shown["imageTagMutability"] == "MUTABLE_WITH_EXCLUSION"
    assert shown["imageScanningConfiguration"] == {"scanOnPush": True}


async def test_delete_answers_the_repository_as_it_was(aws: AwsWorld) -> None:
    await aws.create()

    deleted = await aws.client.ecr("DeleteRepository", repositoryName="team/app")
    again = await aws.client.ecr("DeleteRepository", repositoryName="team/app")

    assert deleted["repository"]["repositoryArn"] == ARN
    assert again.code == "RepositoryNotFoundException"


async def test_delete_needs_force_while_there_are_images(aws: AwsWorld) -> None:
    await aws.create()
    await aws.registry.client.put_image("team/app", "v1")

    refused = await aws.client.ecr("DeleteRepository", repositoryName="team/app")
    forced = await aws.client.ecr("DeleteRepository", repositoryName="team/app", force=True)

    assert refused.code == "RepositoryNotEmptyException"
    assert refused.message == (
        "The repository with name 'team/app' in registry with id '123456789012' cannot be deleted because it still "
        "contains images"
    )
    assert forced.status == 200


async def test_resource_tags(aws: AwsWorld) -> None:
    await aws.create(tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])

    tagged = await aws.client.ecr("TagResource", resourceArn=ARN, tags=[{"Key": "b", "Value": "3"}])
    untagged = await aws.client.ecr("UntagResource", resourceArn=ARN, tagKeys=["a", "missing"])
    listed = await aws.client.ecr("ListTagsForResource", resourceArn=ARN)

    assert (tagged.response.body, untagged.response.body) == (b"{}", b"{}")
    assert listed["tags"] == [{"Key": "b", "Value": "3"}]


@pytest.mark.parametrize(
    "arn",
    [
        "team/app",
        "arn:aws:ecr:us-east-1:123456789012:team/app",
        "arn:aws:ecr:eu-west-1:123456789012:repository/team/app",
        "arn:aws-cn:ecr:us-east-1:123456789012:repository/team/app",
        "arn:aws:s3:us-east-1:123456789012:repository/team/app",
        "arn:aws:ecr:us-east-1:123456789012:repository/Team",
        "arn:aws:ecr:us-east-1:1234:repository/team/app",
    ],
)
async def test_arns_that_name_no_repository_here(aws: AwsWorld, arn: str) -> None:
    refused = await aws.client.ecr("ListTagsForResource", resourceArn=arn)

    assert refused.code == "InvalidParameterException"
    assert refused.message == "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"


async def test_another_account_is_denied_whether_the_repository_exists_or_not(aws: AwsWorld) -> None:
    await aws.create()
    for name in ("team/app", "team/none"):
        arn = f"arn:aws:ecr:us-east-1:{HOME}:repository/{name}"
        denied = [
            await aws.stranger.ecr("DeleteRepository", repositoryName=name, registryId=HOME),
            await aws.stranger.ecr("DescribeRepositories", repositoryNames=[name], registryId=HOME),
            await aws.stranger.ecr("ListTagsForResource", resourceArn=arn),
            await aws.stranger.ecr(
                "ListImageReferrers", repositoryName=name, registryId=HOME, subjectId={"imageDigest": "x"}
            ),
        ]
        assert [reply.code for reply in denied] == ["AccessDeniedException"] * 4
        assert [reply.status for reply in denied] == [400] * 4
        assert denied[0].message == (
            "User: arn:aws:iam::210987654321:root is not authorized to perform: ecr:DeleteRepository on resource: "
            f"{arn} because no resource-based policy allows the ecr:DeleteRepository action"
        )
        assert "ecr:BatchGetImage" in denied[3].message

    everything = await aws.stranger.ecr("DescribeRepositories", registryId=HOME)
    assert everything.code == "AccessDeniedException"
    assert "repository/*" in everything.message
