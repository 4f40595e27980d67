"""AWS-shaped host names and what they stand for."""

import pytest

from entrepot.domain.endpoint import Endpoint, EndpointKind, parse_endpoint

A = "123456789012"
REGISTRY = Endpoint(EndpointKind.REGISTRY, A, "us-east-1")
ECR = Endpoint(EndpointKind.ECR, None, "us-east-1")


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        (f"{A}.dkr.ecr.us-east-1.amazonaws.com", REGISTRY),
        (f"{A}.dkr.ecr.us-east-1.amazonaws.com:443", REGISTRY),
        (f"{A}.DKR.ecr.us-east-1.amazonaws.com.", REGISTRY),
        (f"{A}.dkr.ecr-fips.us-east-1.amazonaws.com", REGISTRY),
        (f"{A}.dkr-ecr.us-east-1.on.aws", REGISTRY),
        (f"{A}.dkr-ecr-fips.us-east-1.on.aws", REGISTRY),
        (f"{A}.dkr.ecr.us-east-1.localhost:5000", REGISTRY),
        (f"{A}.dkr.ecr.us-east-1.registry.example.com", REGISTRY),
        (f"{A}.dkr.ecr.cn-north-1.amazonaws.com.cn", Endpoint(EndpointKind.REGISTRY, A, "cn-north-1")),
        (f"{A}.dkr.ecr.us-gov-west-1.amazonaws.com", Endpoint(EndpointKind.REGISTRY, A, "us-gov-west-1")),
        ("api.ecr.us-east-1.amazonaws.com", ECR),
        ("api.ecr-fips.us-east-1.amazonaws.com", ECR),
        ("fips.ecr.us-east-1.amazonaws.com", ECR),
        ("ecr.us-east-1.api.aws", ECR),
        ("ecr-fips.us-east-1.api.aws", ECR),
        ("api.ecr-public.us-east-1.amazonaws.com", Endpoint(EndpointKind.ECR_PUBLIC, None, "us-east-1")),
        ("public.ecr.aws", Endpoint(EndpointKind.PUBLIC_REGISTRY)),
        ("ecr-public.aws.com", Endpoint(EndpointKind.PUBLIC_REGISTRY)),
        ("sts.amazonaws.com", Endpoint(EndpointKind.STS)),
        ("sts.eu-central-1.amazonaws.com", Endpoint(EndpointKind.STS, None, "eu-central-1")),
        ("iam.amazonaws.com", Endpoint(EndpointKind.IAM)),
        ("iam.us-gov.amazonaws.com", Endpoint(EndpointKind.IAM)),
        ("iam.global.api.aws", Endpoint(EndpointKind.IAM)),
        ("kms.us-east-1.amazonaws.com", Endpoint(EndpointKind.KMS, None, "us-east-1")),
        ("ec2.us-east-1.amazonaws.com", Endpoint(EndpointKind.EC2, None, "us-east-1")),
    ],
)
def test_aws_shaped(host: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(host) == endpoint


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":",
        "127.0.0.1:5000",
        "[::1]:5000",
        "localhost",
        "registry.example.com",
        "12345678901.dkr.ecr.us-east-1.amazonaws.com",
        f"{A}.dkr.ecr.nowhere.amazonaws.com",
        f"{A}.dkr.ecr.us-east-1",
        f"x.{A}.dkr.ecr.us-east-1.amazonaws.com",
        f"{A}.dkr.ecr.us-east-1.amazonaws.com/evil",
        "sts.example.com",
        "iam.example.com",
        "api.ecr.amazonaws.com",
    ],
)
def test_other_hosts(host: str) -> None:
    assert parse_endpoint(host) is None
