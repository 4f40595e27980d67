"""Registries: one account in one region, with the ARNs and host names that follow from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from entrepot.domain.error import InvalidParameter

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{2,16})+-[0-9]{1,2}")

_PARTITIONS = (
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
)


@dataclass(frozen=True, slots=True)
class Registry:
    """An account in a region. Both are taken as valid: `parse` is the way in for outside text."""

    account_id: str
    region: str

    @classmethod
    def parse(cls, account_id: str, region: str) -> Self:
        """Check both halves.

        Raises:
            InvalidParameter: not 12 digits, or not of a region's form.
        """
        if not _ACCOUNT.fullmatch(account_id):
            raise InvalidParameter("registryId", "must be 12 digits")
        if not _REGION.fullmatch(region):
            raise InvalidParameter("region", "must have the form of an AWS region, such as us-east-1")
        return cls(account_id, region)

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov` or `aws-eusc`."""
        return partition_of(self.region)

    @property
    def dns_suffix(self) -> str:
        """What AWS-shaped host names of this region end in."""
        return next((suffix for prefix, _, suffix in _PARTITIONS if self.region.startswith(prefix)), "amazonaws.com")

    def repository_arn(self, name: str) -> str:
        """The ARN of the repository `name`, existing or not; `*` stands for every repository."""
        return f"arn:{self.partition}:ecr:{self.region}:{self.account_id}:repository/{name}"


@lru_cache(maxsize=256)
def partition_of(region: str) -> str:
    """The AWS partition that a region belongs to."""
    return next((partition for prefix, partition, _ in _PARTITIONS if region.startswith(prefix)), "aws")


def is_region(text: str) -> bool:
    """Whether `text` has the form of an AWS region."""
    return _REGION.fullmatch(text) is not None
