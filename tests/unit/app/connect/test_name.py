"""The names that are taken over: ours, and nothing else of AWS."""

from __future__ import annotations

import pytest

from entrepot.app.connect.name import names
from entrepot.domain.endpoint import EndpointKind, parse_endpoint


def test_one_account_in_one_region() -> None:
    assert names(["123456789012"], ["us-east-1"]) == [
        "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr-ecr.us-east-1.on.aws",
        "api.ecr.us-east-1.amazonaws.com",
        "ecr.us-east-1.amazonaws.com",
        "ecr.us-east-1.api.aws",
        "kms.us-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com",
        "sts.amazonaws.com",
        "iam.amazonaws.com",
    ]


def test_several_of_both_each_once() -> None:
    found = names(["123456789012", "210987654321"], ["us-east-1", "eu-west-1"])
    assert len(found) == len(set(found)) == 2 * 2 * 2 + 2 * 5 + 2


def test_china_has_its_own_domains() -> None:
    assert names(["123456789012"], ["cn-north-1"]) == [
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
        "api.ecr.cn-north-1.amazonaws.com.cn",
        "ecr.cn-north-1.amazonaws.com.cn",
        "ecr.cn-north-1.api.amazonwebservices.com.cn",
        "kms.cn-north-1.amazonaws.com.cn",
        "sts.cn-north-1.amazonaws.com.cn",
    ]


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_the_server_knows_every_name(region: str) -> None:
    for name in names(["123456789012"], [region]):
        endpoint = parse_endpoint(name)
        assert endpoint is not None
        kinds = EndpointKind.REGISTRY, EndpointKind.ECR, EndpointKind.IAM, EndpointKind.KMS, EndpointKind.STS
        assert endpoint.kind in kinds
        assert endpoint.region in {region, None}
