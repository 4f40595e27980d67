"""Endpoints: what an AWS-shaped host name stands for: a service, and where it names them an account and a region.

The shape decides, not the suffix: twelve digits before `.dkr.ecr.` or a region after `api.ecr.` cannot be meant
otherwise, so an operator may hang the names under a domain of their own. Names without account or region
(`sts.amazonaws.com`) need one of AWS's suffixes.

Spec: ECR user guide, "Amazon ECR endpoints"; botocore endpoint rule sets of ecr, ecr-public, sts, iam, kms, ec2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from entrepot.domain.registry import is_region


class EndpointKind(StrEnum):
    """The service behind a host name."""

    REGISTRY = "registry"
    """The data plane of one account in one region."""
    ECR = "ecr"
    PUBLIC_REGISTRY = "public-registry"
    ECR_PUBLIC = "ecr-public"
    STS = "sts"
    IAM = "iam"
    KMS = "kms"
    EC2 = "ec2"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a host name says; None where it says nothing."""

    kind: EndpointKind
    account_id: str | None = None
    region: str | None = None


_PUBLIC_REGISTRIES = frozenset({"public.ecr.aws", "ecr-public.aws.com"})
_SUFFIXES = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "csp.hci.ic.gov",
    "cloud.adc-e.uk",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "localhost",
)
_REGISTRY = re.compile(r"([0-9]{12})\.dkr(?:\.ecr|-ecr)(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+")
_REGIONAL = re.compile(r"(?:api\.)?(ecr|ecr-public|sts|kms|ec2|iam)(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+")
_GLOBAL = re.compile(r"(sts|iam)(?:-fips)?(?:\.global|\.us-gov)?\.(.+)")
_FIPS_FIRST = "fips."


@lru_cache(maxsize=1024)
def parse_endpoint(host: str) -> Endpoint | None:
    """Read a host name, with or without a port; None when it is not AWS-shaped."""
    name = host.rsplit(":", 1)[0].lower().rstrip(".") if not host.startswith("[") else ""
    if name in _PUBLIC_REGISTRIES:
        return Endpoint(EndpointKind.PUBLIC_REGISTRY)
    if (registry := _REGISTRY.fullmatch(name)) and is_region(registry[2]):
        return Endpoint(EndpointKind.REGISTRY, registry[1], registry[2])
    name = name.removeprefix(_FIPS_FIRST)
    if (regional := _REGIONAL.fullmatch(name)) and is_region(regional[2]):
        return Endpoint(EndpointKind(regional[1]), None, regional[2])
    if (everywhere := _GLOBAL.fullmatch(name)) and everywhere[2] in _SUFFIXES:
        return Endpoint(EndpointKind(everywhere[1]))
    return None
