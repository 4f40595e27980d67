"""VPC endpoints: private ways into the registry, and what EC2 calls their parts.

Spec: EC2 API, VpcEndpoint, CreateVpcEndpoint; PrivateLink guide, "Access AWS services"; ECR user guide, "Amazon ECR
interface VPC endpoints".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from entrepot.domain.ec2_error import Ec2IdMalformed, ServiceNameUnknown
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry

_ID: Final = re.compile(r"(?:[0-9a-f]{8}|[0-9a-f]{17})")


class IdKind(StrEnum):
    """What EC2's ids begin with."""

    VPC = "vpc"
    SUBNET = "subnet"
    SECURITY_GROUP = "sg"
    ROUTE_TABLE = "rtb"
    ENDPOINT = "vpce"
    INTERFACE = "eni"


class EndpointType(StrEnum):
    """How an endpoint is reached."""

    INTERFACE = "Interface"
    """By an address in each of its subnets."""
    GATEWAY = "Gateway"
    """By routes: there is nothing of it here."""


class State(StrEnum):
    """Where an endpoint stands."""

    PENDING = "pending"
    """Not every worker listens on all of its addresses."""
    AVAILABLE = "available"
    FAILED = "failed"
    """One of its addresses cannot be listened on."""
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class EndpointService:
    """A service that endpoints can be made for."""

    name: str
    """Without prefix and region: `ecr.api`."""
    types: tuple[EndpointType, ...]
    host: str | None
    """What its private name begins with, `api.ecr` of `api.ecr.us-east-1.amazonaws.com`; None: it does nothing here."""
    has_accounts: bool = False
    """Whether the private name stands behind that of each account."""


SERVICES: Final = {
    service.name: service
    for service in (
        EndpointService("ecr.api", (EndpointType.INTERFACE,), "api.ecr"),
        EndpointService("ecr.dkr", (EndpointType.INTERFACE,), "dkr.ecr", has_accounts=True),
        EndpointService("s3", (EndpointType.GATEWAY, EndpointType.INTERFACE), None),
    )
}
"""By name."""


def check_id(kind: IdKind, text: str) -> str:
    """An id of EC2's, of which only the form matters.

    Raises:
        Ec2IdMalformed: another form.
    """
    prefix, _, rest = text.rpartition("-")
    if prefix != kind.value or not _ID.fullmatch(rest):
        raise Ec2IdMalformed(kind.value, text)
    return text


def service_prefix(region: str) -> str:
    """What names of services begin with in a region: `com.amazonaws.us-east-1.`."""
    start = "cn.com" if region.startswith("cn-") else "com"
    return f"{start}.amazonaws.{region}."


def parse_service_name(text: str, region: str) -> EndpointService:
    """Read `com.amazonaws.us-east-1.ecr.api`.

    Raises:
        ServiceNameUnknown: no such service here, or one of another region.
    """
    prefix = service_prefix(region)
    service = SERVICES.get(text.removeprefix(prefix)) if text.startswith(prefix) else None
    if service is None:
        raise ServiceNameUnknown(text)
    return service


@dataclass(frozen=True, slots=True)
class Interface:
    """The part of an endpoint in one subnet."""

    subnet_id: str
    id: str
    """`eni-…`"""
    address: str | None
    """URL that is listened on, if an operator has given the subnet addresses."""
    is_listening: bool = False
    problem: str | None = None
    """Why it is not listened on."""


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What can be said of an endpoint when it is made, and changed later."""

    group_ids: tuple[str, ...] = ()
    route_table_ids: tuple[str, ...] = ()
    has_private_dns: bool = False
    ip_address_type: str = "ipv4"
    dns_record_ip_type: str = "ipv4"


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    """An endpoint of an account in a region."""

    id: str
    owner: Registry
    vpc_id: str
    service: EndpointService
    type: EndpointType
    policy: SavedPolicy | None
    """None: everything is let through."""
    options: EndpointOptions
    interfaces: tuple[Interface, ...]
    is_deleting: bool
    created_at: datetime
    epoch: int = 1
    """Raised by every change."""

    @property
    def service_name(self) -> str:
        """What callers name it by: `com.amazonaws.us-east-1.ecr.api`."""
        return service_prefix(self.owner.region) + self.service.name

    @property
    def arn(self) -> str:
        """Its ARN."""
        return ec2_arn(self.owner, "vpc-endpoint", self.id)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The URLs that are listened on for it."""
        return tuple(one.address for one in self.interfaces if one.address)

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.is_deleting:
            return State.DELETING
        waiting = [one for one in self.interfaces if one.address and not one.is_listening]
        if any(one.problem for one in waiting):
            return State.FAILED
        return State.PENDING if waiting else State.AVAILABLE

    @property
    def problem(self) -> str | None:
        """What keeps it from being available."""
        return next((one.problem for one in self.interfaces if one.problem and not one.is_listening), None)

    @property
    def dns_names(self) -> tuple[str, ...]:
        """Names that lead to nothing else, and the private ones if it has them."""
        if self.type is not EndpointType.INTERFACE:
            return ()
        return (self.own_dns_name, *self.private_dns_names)

    @property
    def own_dns_name(self) -> str:
        """The name of this endpoint alone."""
        host = self.service.host or self.service.name
        return f"{self.id}.{host}.{self.owner.region}.vpce.{self.owner.dns_suffix}"

    @property
    def private_dns_names(self) -> tuple[str, ...]:
        """The service's own names, where they lead to this endpoint; one may begin with `*.`."""
        if not self.options.has_private_dns or self.service.host is None:
            return ()
        name = private_name(self.service, self.owner)
        return (name, f"*.{name}") if self.service.has_accounts else (name,)


def private_name(service: EndpointService, owner: Registry) -> str:
    """The service's own name in a region."""
    return f"{service.host or service.name}.{owner.region}.{owner.dns_suffix}"


def ec2_arn(owner: Registry, kind: str, resource_id: str) -> str:
    """The ARN of something of EC2's; `*` stands for all of a kind."""
    return f"arn:{owner.partition}:ec2:{owner.region}:{owner.account_id}:{kind}/{resource_id}"


RESOURCE_TYPES: Final = {
    IdKind.VPC: "vpc",
    IdKind.SUBNET: "subnet",
    IdKind.SECURITY_GROUP: "security-group",
    IdKind.ROUTE_TABLE: "route-table",
    IdKind.ENDPOINT: "vpc-endpoint",
    IdKind.INTERFACE: "network-interface",
}
"""What ARNs and filters call what an id begins with."""


def resource_type(resource_id: str) -> str:
    """The type of what an id names.

    Raises:
        Ec2IdMalformed: of nothing that there can be here.
    """
    prefix = resource_id.rpartition("-")[0]
    kind = next((kind for kind in IdKind if kind.value == prefix), None)
    if kind is None:
        raise Ec2IdMalformed("", resource_id)
    check_id(kind, resource_id)
    return RESOURCE_TYPES[kind]
