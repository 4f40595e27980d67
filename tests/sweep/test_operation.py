"""The table of operations against the models."""

from __future__ import annotations

import pytest

from entrepot.domain.registry import Registry
from entrepot.transport.aws.model import PARTS, VERSIONS
from entrepot.transport.aws.operation import OPERATIONS, coverage_table, find_operation
from entrepot.transport.aws.resource import ResourceKind, target_of
from tests.support.aws import MODELS, AwsWorld
from tests.sweep.case import example

OWN = Registry("123456789012", "us-east-1")
MISSING = sorted(row.name for row in OPERATIONS.values() if row.service == "ecr" and row.handler is None)


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    modelled = {
        (service, name)
        for service in VERSIONS
        for name in PARTS.get(service, " ".join(MODELS[service].operation_names)).split()
    }

    assert set(OPERATIONS) == modelled
    assert len([row for row in OPERATIONS.values() if row.service == "ecr"]) == 62


def test_the_operations_of_the_first_release_work() -> None:
    working = {row.name for row in OPERATIONS.values() if row.handler is not None and row.service == "ecr"}

    assert working >= {
        "BatchCheckLayerAvailability",
        "BatchDeleteImage",
        "BatchGetImage",
        "CompleteLayerUpload",
        "CreateRepository",
        "DeleteRepository",
        "DescribeImages",
        "DescribeRepositories",
        "GetAuthorizationToken",
        "GetDownloadUrlForLayer",
        "InitiateLayerUpload",
        "ListImageReferrers",
        "ListImages",
        "ListTagsForResource",
        "PutImage",
        "PutImageScanningConfiguration",
        "PutImageTagMutability",
        "TagResource",
        "UntagResource",
        "UploadLayerPart",
    }


def test_actions() -> None:
    assert OPERATIONS["ecr", "ListImageReferrers"].action == "ecr:BatchGetImage"
    assert OPERATIONS["ecr", "PutImage"].action == "ecr:PutImage"
    assert OPERATIONS["ecr", "CreateRepository"].also == (("ecr:TagResource", "tags"),)
    assert OPERATIONS["sts", "GetCallerIdentity"].action == "sts:GetCallerIdentity"


def test_every_row_that_works_finds_its_resources_in_its_own_input() -> None:
    """An operation that takes a repository is authorised for it, in the account that it names."""
    for row in OPERATIONS.values():
        if row.handler is None:
            continue
        shape = MODELS[row.service].operation_model(row.name).input_shape
        members = {} if shape is None else shape.members
        given = {} if shape is None else example(shape)
        target = target_of(row.resource, OWN, given)
        takes_repository = any(name in members for name in ("repositoryName", "repositoryNames", "resourceArn"))
        assert takes_repository == any("repository/" in arn for arn in target.arns), row.name
        if "registryId" in members:
            foreign = target_of(row.resource, OWN, given | {"registryId": "999999999999"})
            assert foreign.registry.account_id == "999999999999"
            assert all(":999999999999:" in arn for arn in foreign.arns), row.name


def test_several_repositories_are_several_resources() -> None:
    named = target_of(ResourceKind.REPOSITORIES, OWN, {"repositoryNames": ["a1", "b1"]})
    everything = target_of(ResourceKind.REPOSITORIES, OWN, {})

    assert named.arns == (OWN.repository_arn("a1"), OWN.repository_arn("b1"))
    assert everything.arns == ("arn:aws:ecr:us-east-1:123456789012:repository/*",)


def test_everything_of_an_account_is_not_everything_of_another() -> None:
    assert target_of(ResourceKind.ANY, OWN, {}).arns == ("*",)
    assert target_of(ResourceKind.ANY, OWN, {"registryId": "999999999999"}).arns == (
        "arn:aws:ecr:us-east-1:999999999999:*",
    )


def test_only_rows_with_a_handler_are_found() -> None:
    assert find_operation("ecr", "PutImage") is OPERATIONS["ecr", "PutImage"]
    assert find_operation("ecr", "StartImageScan") is None
    assert find_operation("sts", "PutImage") is None


def test_the_coverage_table_shows_all_of_it() -> None:
    lines = coverage_table().splitlines()

    assert len(lines) == 2 + len(OPERATIONS)
    assert "| ecr | PutImage | works | `ecr:PutImage` | repository |" in lines
    assert "| ecr | StartImageScan | missing | `ecr:StartImageScan` | repository |" in lines


async def test_operations_without_a_handler_say_so(sqlite_aws: AwsWorld) -> None:
    for operation in MISSING:
        reply = await sqlite_aws.client.send(operation, b"{}")
        assert (reply.status, reply.code) == (400, "UnknownOperationException"), operation
        assert reply.message == f"This server does not have the operation {operation} yet"


@pytest.mark.parametrize("service", sorted(VERSIONS))
def test_the_models_are_the_ones_that_botocore_would_choose(service: str) -> None:
    assert MODELS[service].api_version == VERSIONS[service]
