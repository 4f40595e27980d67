"""Registries and what follows from account and region."""

import pytest

from entrepot.domain.error import InvalidParameter
from entrepot.domain.registry import Registry
from entrepot.domain.registry_url import RegistryUrl


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("us-east-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ],
)
def test_partitions(region: str, partition: str, suffix: str) -> None:
    registry = Registry.parse("123456789012", region)
    assert (registry.partition, registry.dns_suffix) == (partition, suffix)
    assert registry.repository_arn("a/b") == f"arn:{partition}:ecr:{region}:123456789012:repository/a/b"


@pytest.mark.parametrize(
    ("account", "region"),
    [("12345678901", "us-east-1"), ("12345678901a", "us-east-1"), ("123456789012", "us-east"), ("123456789012", "")],
)
def test_refuses(account: str, region: str) -> None:
    with pytest.raises(InvalidParameter):
        Registry.parse(account, region)


def test_urls() -> None:
    registry = Registry("123456789012", "eu-west-1")
    local, aws = RegistryUrl("http://127.0.0.1:5000"), RegistryUrl("https://{account}.dkr.ecr.{region}.amazonaws.com")
    assert local.endpoint(registry) == "http://127.0.0.1:5000"
    assert local.repository_uri(registry, "a/b") == "127.0.0.1:5000/a/b"
    assert aws.endpoint(registry) == "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert aws.repository_uri(registry, "a") == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a"
