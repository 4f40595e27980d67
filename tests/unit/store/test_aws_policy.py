"""AWS's managed policies: those of the package, and files of operators."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.evaluate import Policies, Request, evaluate
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import user
from entrepot.store.aws_policy import AwsPoliciesInvalid, package_policies, with_file

PREFIX = "arn:aws:iam::aws:policy/"


@pytest.fixture(scope="module")
def policies() -> AwsPolicies:
    return package_policies()


def test_by_exact_arn_and_version(policies: AwsPolicies) -> None:
    assert {arn.removeprefix(PREFIX): policy.policy.default_version for arn, policy in policies.items()} == {
        "AdministratorAccess": 1,
        "AmazonEC2ContainerRegistryFullAccess": 3,
        "AmazonEC2ContainerRegistryPowerUser": 3,
        "AmazonEC2ContainerRegistryPullOnly": 1,
        "AmazonEC2ContainerRegistryReadOnly": 3,
        "AmazonEKS_CNI_Policy": 6,
        "AmazonEKSWorkerNodePolicy": 3,
        "AmazonElasticContainerRegistryPublicFullAccess": 1,
        "AmazonElasticContainerRegistryPublicPowerUser": 1,
        "AmazonElasticContainerRegistryPublicReadOnly": 1,
        "EC2InstanceProfileForImageBuilderECRContainerBuilds": 1,
        "IAMFullAccess": 2,
        "PowerUserAccess": 12,
        "ReadOnlyAccess": 190,
        "aws-service-role/AWSECRPullThroughCache_ServiceRolePolicy": 4,
        "aws-service-role/ECRReplicationServiceRolePolicy": 1,
        "aws-service-role/ECRTemplateServiceRolePolicy": 1,
        "service-role/AmazonECSTaskExecutionRolePolicy": 1,
        "service-role/AWSLambdaBasicExecutionRole": 1,
    }


def test_every_document_compiles_and_every_id_is_of_a_policy(policies: AwsPolicies) -> None:
    for policy in policies.values():
        assert parse_policy(policy.document, Kind.IDENTITY).statements
        assert (policy.policy.id[:4], len(policy.policy.id)) == ("ANPA", 21)
        assert policy.policy.description
        assert policy.policy.created_at <= policy.policy.updated_at
    assert len({policy.policy.id for policy in policies.values()}) == len(policies)


@pytest.mark.parametrize(
    ("name", "action", "is_allowed"),
    [
        ("AdministratorAccess", "iam:CreateUser", True),
        ("PowerUserAccess", "ecr:DeleteRepository", True),
        ("PowerUserAccess", "iam:CreateUser", False),
        ("ReadOnlyAccess", "ecr:DescribeImages", True),
        ("ReadOnlyAccess", "ecr:BatchGetImage", True),
        ("ReadOnlyAccess", "ecr:PutImage", False),
        ("AmazonEC2ContainerRegistryPullOnly", "ecr:BatchGetImage", True),
        ("AmazonEC2ContainerRegistryPullOnly", "ecr:DescribeImages", False),
        ("AmazonEC2ContainerRegistryPowerUser", "ecr:PutImage", True),
        ("AmazonEC2ContainerRegistryPowerUser", "ecr:BatchDeleteImage", False),
        ("AmazonEC2ContainerRegistryFullAccess", "ecr:BatchDeleteImage", True),
        ("service-role/AmazonECSTaskExecutionRolePolicy", "ecr:GetAuthorizationToken", True),
        ("IAMFullAccess", "ecr:ListImages", False),
    ],
)
def test_what_they_allow(policies: AwsPolicies, name: str, action: str, is_allowed: bool) -> None:
    parsed = parse_policy(policies[PREFIX + name].document, Kind.IDENTITY)
    asker = user("111111111111", "arn:aws:iam::111111111111:user/alice")
    request = Request(asker, action, "*", "111111111111", {})
    assert evaluate(request, Policies(PolicySet([(name, parsed)]))).is_allowed is is_allowed


def _detail(**members: Any) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}
    version = {"VersionId": "v2", "IsDefaultVersion": True, "Document": document}
    return {"Arn": f"{PREFIX}Mine", "PolicyVersionList": [version], **members}


def test_a_file_adds_and_replaces(policies: AwsPolicies) -> None:
    administrator = _detail(Arn=f"{PREFIX}AdministratorAccess", CreateDate="2020-01-01T00:00:00Z")
    together = with_file(policies, json.dumps({"Policies": [_detail(), administrator], "UserDetailList": []}))

    assert len(together) == len(policies) + 1
    mine, replaced = together[f"{PREFIX}Mine"], together[f"{PREFIX}AdministratorAccess"]
    assert (mine.policy.default_version, mine.policy.id[:4], len(mine.policy.id)) == (2, "ANPA", 21)
    assert json.loads(mine.document)["Statement"]["Action"] == "ecr:*"
    assert (replaced.policy.default_version, replaced.policy.created_at.year) == (2, 2020)
    assert len(policies) == len(package_policies())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "no JSON object"),
        ("{", "no JSON object"),
        ("{}", "no list `Policies`"),
        (json.dumps({"Policies": [{}]}), r"Policies\[0\]: KeyError 'Arn'"),
        (
            json.dumps({"Policies": [_detail(), _detail(Arn="arn:aws:iam::123456789012:policy/a")]}),
            r"Policies\[1\].*no ARN",
        ),
        (json.dumps({"Policies": [_detail(PolicyVersionList=[])]}), "one default version"),
        (json.dumps({"Policies": [_detail(PolicyVersionList=7)]}), "TypeError"),
        (json.dumps({"Policies": [_detail(CreateDate="soon")]}), "ValueError"),
        (
            json.dumps(
                {
                    "Policies": [
                        _detail(PolicyVersionList=[{"VersionId": "v1", "IsDefaultVersion": True, "Document": "{}"}])
                    ]
                }
            ),
            "policy/Mine, version v1: .*Policy document must be version|Mine, version v1: .*Syntax",
        ),
    ],
)
def test_files_that_hold_no_policies(policies: AwsPolicies, text: str, words: str) -> None:
    with pytest.raises(AwsPoliciesInvalid, match=words):
        with_file(policies, text)
