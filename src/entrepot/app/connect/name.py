"""The AWS-shaped host names that `entrepot connect` takes over: exactly these and no others.

Spec: ECR user guide, "Amazon ECR endpoints"; botocore endpoint rule sets of ecr, kms and sts.
"""

from __future__ import annotations

from collections.abc import Iterable

from entrepot.domain.registry import Registry

_ON_AWS = {"aws-cn": "on.amazonwebservices.com.cn", "aws-eusc": "on.amazonwebservices.eu"}
_API_AWS = {"aws-cn": "api.amazonwebservices.com.cn", "aws-eusc": "api.amazonwebservices.eu"}


def names(accounts: Iterable[str], regions: Iterable[str]) -> list[str]:
    """Names of the registries, of the ECR API, of KMS, STS and IAM, in a stable order, each once."""
    accounts = tuple(accounts)
    found: dict[str, None] = {}
    for region in regions:
        for account in accounts:
            found.update(dict.fromkeys(_registry_names(Registry(account, region))))
        found.update(dict.fromkeys(_api_names(Registry(accounts[0], region))))
    return list(found)


def _registry_names(registry: Registry) -> list[str]:
    account, region = registry.account_id, registry.region
    return [
        f"{account}.dkr.ecr.{region}.{registry.dns_suffix}",
        f"{account}.dkr-ecr.{region}.{_ON_AWS.get(registry.partition, 'on.aws')}",
    ]


def _api_names(registry: Registry) -> list[str]:
    region, suffix = registry.region, registry.dns_suffix
    regional = [
        f"api.ecr.{region}.{suffix}",
        f"ecr.{region}.{suffix}",
        f"ecr.{region}.{_API_AWS.get(registry.partition, 'api.aws')}",
        f"kms.{region}.{suffix}",
        f"sts.{region}.{suffix}",
    ]
    return [*regional, f"sts.{suffix}", f"iam.{suffix}"] if registry.partition == "aws" else regional
