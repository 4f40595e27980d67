"""What surrounds endpoints: VPCs, subnets, security groups, route tables and network interfaces, described.

There are none of their own here. Those that endpoints or operators have named are listed, and asked for by id every one
whose id has the right form is there.

Spec: EC2 API, DescribeVpcs, DescribeSubnets, DescribeSecurityGroups, DescribeRouteTables, DescribeNetworkInterfaces,
DescribeAvailabilityZones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from entrepot.domain.ec2_error import InterfaceNotFound
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import IdKind, Interface, VpcEndpoint, check_id, ec2_arn
from entrepot.domain.vpc_subnet import VpcSubnet, host_of
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.ec2.endpoint_service import availability_zones
from entrepot.transport.aws.ec2.filter import filtered, paged
from entrepot.transport.aws.ec2.tag import pack_tags
from entrepot.transport.aws.ec2.vpc_endpoint import group_name
from entrepot.transport.aws.resource import ResourceKind

_ANYWHERE: Final = "0.0.0.0/0"
_NO_VPC: Final = "vpc-00000000"


@dataclass(frozen=True, slots=True)
class _Network:
    """All that is known of an account's network in a region."""

    owner: Registry
    endpoints: tuple[VpcEndpoint, ...]
    subnets: Mapping[str, VpcSubnet]
    tags: Mapping[str, Mapping[str, str]]

    @classmethod
    async def of(cls, call: Call) -> _Network:
        services, owner = call.services, call.registry
        shown = await services.vpc_endpoint.list(owner)
        subnets = {one.id: one for one in await services.vpc_network.subnets(owner)}
        return cls(owner, tuple(one.endpoint for one in shown), subnets, await services.ec2_tag.by_resource(owner))

    def vpc_of(self, resource_id: str) -> str:
        """The VPC that something is in, by what endpoints and operators say."""
        if resource_id in self.subnets:
            return self.subnets[resource_id].vpc_id
        named = (one.vpc_id for one in self.endpoints if resource_id in _parts(one))
        return next(named, _NO_VPC)

    def vpcs(self) -> Iterable[str]:
        return [*(one.vpc_id for one in self.endpoints), *(one.vpc_id for one in self.subnets.values())]

    def subnet_ids(self) -> Iterable[str]:
        return [*self.subnets, *(part.subnet_id for one in self.endpoints for part in one.interfaces)]

    def group_ids(self) -> Iterable[str]:
        return [group for one in self.endpoints for group in one.options.group_ids]

    def route_table_ids(self) -> Iterable[str]:
        return [table for one in self.endpoints for table in one.options.route_table_ids]

    def vpc(self, vpc_id: str) -> dict[str, Any]:
        cidrs = [cidr for one in self.subnets.values() if one.vpc_id == vpc_id for cidr in one.cidrs]
        return {
            "VpcId": vpc_id,
            "State": "available",
            "CidrBlock": cidrs[0] if cidrs else _ANYWHERE,
            "InstanceTenancy": "default",
            "IsDefault": False,
        }

    def subnet(self, subnet_id: str) -> dict[str, Any]:
        known = self.subnets.get(subnet_id)
        return {
            "SubnetId": subnet_id,
            "VpcId": self.vpc_of(subnet_id),
            "State": "available",
            "CidrBlock": known.cidrs[0] if known and known.cidrs else _ANYWHERE,
            "AvailabilityZone": known.zone if known else availability_zones(self.owner.region)[0],
            "AvailableIpAddressCount": self._free(known) if known else 0,
            "DefaultForAz": False,
            "MapPublicIpOnLaunch": False,
            "SubnetArn": ec2_arn(self.owner, "subnet", subnet_id),
        }

    def _free(self, subnet: VpcSubnet) -> int:
        used = {address for one in self.endpoints for address in one.addresses}
        return len(set(subnet.addresses) - used)

    def group(self, group_id: str) -> dict[str, Any]:
        vpc_id = self.vpc_of(group_id)
        name = group_name(vpc_id, group_id)
        return {"GroupId": group_id, "GroupName": name, "Description": name, "VpcId": vpc_id}

    def route_table(self, table_id: str) -> dict[str, Any]:
        return {"RouteTableId": table_id, "VpcId": self.vpc_of(table_id), "Routes": [], "Associations": []}


def _parts(endpoint: VpcEndpoint) -> set[str]:
    subnets = {one.subnet_id for one in endpoint.interfaces}
    return subnets | set(endpoint.options.group_ids) | set(endpoint.options.route_table_ids)


@dataclass(frozen=True, slots=True)
class _List:
    """How one kind of thing is listed."""

    kind: IdKind
    wanted: str
    """The member with ids that are asked for."""
    answered: str
    """The member with what there is."""
    id: str
    ids: Callable[[_Network], Iterable[str]]
    pack: Callable[[_Network, str], dict[str, Any]]
    facets: Mapping[str, str]
    """Filters, each with the member that it looks at."""

    async def answer(self, call: Call) -> dict[str, Any]:
        network = await _Network.of(call)
        wanted = [check_id(self.kind, one) for one in call.parameters.get(self.wanted) or ()]
        ids = sorted(set(wanted or (*self.ids(network), *self._filtered_ids(call))))
        shared = {"OwnerId": call.registry.account_id}
        found = [shared | self.pack(network, one) | {"Tags": pack_tags(network.tags.get(one, {}))} for one in ids]
        facets = {name: _reader(member) for name, member in self.facets.items()} | {"owner-id": _reader("OwnerId")}
        kept = filtered(call, found, facets, lambda one: {tag["Key"]: tag["Value"] for tag in one["Tags"]})
        items, token = paged(call, kept, lambda one: str(one[self.id]))
        return {self.answered: items, "NextToken": token}

    def _filtered_ids(self, call: Call) -> Iterable[str]:
        """Ids of the right form that a filter asks for."""
        own = {name for name, member in self.facets.items() if member == self.id}
        given = [one for one in call.parameters.get("Filters") or () if one.get("Name") in own]
        return [value for one in given for value in one.get("Values") or () if is_id(self.kind, value)]


def is_id(kind: IdKind, text: str) -> bool:
    """Whether a text has the form of an id."""
    return "*" not in text and "?" not in text and text.startswith(f"{kind}-") and check_id(kind, text) == text


def _reader(member: str) -> Callable[[Mapping[str, Any]], list[str]]:
    return lambda one: [str(one[member])]


_LISTS: Final = {
    "DescribeVpcs": _List(
        IdKind.VPC, "VpcIds", "Vpcs", "VpcId", _Network.vpcs, _Network.vpc,
        {"vpc-id": "VpcId", "state": "State", "cidr": "CidrBlock", "is-default": "IsDefault"},
    ),
    "DescribeSubnets": _List(
        IdKind.SUBNET, "SubnetIds", "Subnets", "SubnetId", _Network.subnet_ids, _Network.subnet,
        {"subnet-id": "SubnetId", "vpc-id": "VpcId", "state": "State", "availability-zone": "AvailabilityZone"},
    ),
    "DescribeSecurityGroups": _List(
        IdKind.SECURITY_GROUP, "GroupIds", "SecurityGroups", "GroupId", _Network.group_ids, _Network.group,
        {"group-id": "GroupId", "group-name": "GroupName", "vpc-id": "VpcId"},
    ),
    "DescribeRouteTables": _List(
        IdKind.ROUTE_TABLE, "RouteTableIds", "RouteTables", "RouteTableId", _Network.route_table_ids,
        _Network.route_table, {"route-table-id": "RouteTableId", "vpc-id": "VpcId"},
    ),
}  # fmt: skip

_INTERFACE_FACETS: Final = {
    "description": _reader("Description"),
    "group-id": lambda one: [group["GroupId"] for group in one["Groups"]],
    "interface-type": _reader("InterfaceType"),
    "network-interface-id": _reader("NetworkInterfaceId"),
    "private-ip-address": lambda one: [str(one["PrivateIpAddress"])],
    "status": _reader("Status"),
    "subnet-id": _reader("SubnetId"),
    "vpc-id": _reader("VpcId"),
}


async def describe_network_interfaces(call: Call) -> dict[str, Any]:
    network = await _Network.of(call)
    found = {part.id: _interface(network, one, part) for one in network.endpoints for part in one.interfaces}
    for wanted in call.parameters.get("NetworkInterfaceIds") or ():
        if check_id(IdKind.INTERFACE, wanted) not in found:
            raise InterfaceNotFound(wanted)
    ids = call.parameters.get("NetworkInterfaceIds") or found
    kept = filtered(call, [found[one] for one in sorted(set(ids))], _INTERFACE_FACETS, lambda _: {})
    items, token = paged(call, kept, lambda one: str(one["NetworkInterfaceId"]))
    return {"NetworkInterfaces": items, "NextToken": token}


def _interface(network: _Network, endpoint: VpcEndpoint, part: Interface) -> dict[str, Any]:
    subnet = network.subnet(part.subnet_id)
    address = host_of(part.address) if part.address else None
    addresses = [{"Primary": True, "PrivateIpAddress": address}] if address else []
    return {
        "NetworkInterfaceId": part.id,
        "SubnetId": part.subnet_id,
        "VpcId": endpoint.vpc_id,
        "AvailabilityZone": subnet["AvailabilityZone"],
        "Description": f"VPC Endpoint Interface {endpoint.id}",
        "Groups": [
            {"GroupId": one, "GroupName": group_name(endpoint.vpc_id, one)} for one in endpoint.options.group_ids
        ],
        "InterfaceType": "vpc_endpoint",
        "OwnerId": endpoint.owner.account_id,
        "PrivateIpAddress": address,
        "PrivateIpAddresses": addresses,
        "RequesterManaged": True,
        "SourceDestCheck": True,
        "Status": "in-use",
        "TagSet": [],
    }


async def describe_availability_zones(call: Call) -> dict[str, Any]:
    names = call.parameters.get("ZoneNames")
    zones = [
        {"ZoneName": one, "ZoneType": "availability-zone", "State": "available", "RegionName": call.registry.region}
        for one in availability_zones(call.registry.region)
        if not names or one in names
    ]
    facets = {"zone-name": _reader("ZoneName"), "state": _reader("State"), "zone-type": _reader("ZoneType")}
    facets |= {"region-name": _reader("RegionName"), "opt-in-status": lambda _: ["opt-in-not-required"]}
    return {"AvailabilityZones": filtered(call, zones, facets)}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    **{name: (ResourceKind.ANY, one.answer) for name, one in _LISTS.items()},
    "DescribeNetworkInterfaces": (ResourceKind.ANY, describe_network_interfaces),
    "DescribeAvailabilityZones": (ResourceKind.ANY, describe_availability_zones),
}
"""By name: what each is authorised on, and its handler."""
