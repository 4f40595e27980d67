"""VPC endpoints: CreateVpcEndpoint, DescribeVpcEndpoints, ModifyVpcEndpoint and DeleteVpcEndpoints.

Spec: EC2 API, version 2016-11-15.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog

from entrepot.domain.ec2_error import Ec2IdMalformed, Ec2ParameterInvalid, Ec2ParameterMissing, EndpointNotFound
from entrepot.domain.vpc_endpoint import (
    EndpointOptions,
    EndpointType,
    IdKind,
    State,
    VpcEndpoint,
    check_id,
    parse_service_name,
)
from entrepot.service.vpc.endpoint import EndpointChange, NewVpcEndpoint, ShownEndpoint
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.ec2.error import endpoint_not_found, malformed
from entrepot.transport.aws.ec2.filter import filtered, paged
from entrepot.transport.aws.ec2.tag import pack_tags, read_tags
from entrepot.transport.aws.resource import ResourceKind

log = structlog.get_logger(__name__)

_ZONE_ID: Final = "Z7HUB22UULQXV"
"""Hosted zone of endpoints' names: it is not ours, but clients expect an id."""

FULL_ACCESS: Final = json.dumps(
    {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}, indent=2
)
"""The policy of an endpoint that was given none."""

_FACETS: Final = {
    "dns-record-ip-type": lambda one: [one.endpoint.options.dns_record_ip_type],
    "ip-address-type": lambda one: [one.endpoint.options.ip_address_type],
    "service-name": lambda one: [one.endpoint.service_name],
    "service-region": lambda one: [one.endpoint.owner.region],
    "vpc-endpoint-id": lambda one: [one.endpoint.id],
    "vpc-endpoint-state": lambda one: [one.endpoint.state.value],
    "vpc-endpoint-type": lambda one: [one.endpoint.type.value],
    "vpc-id": lambda one: [one.endpoint.vpc_id],
}


async def create_vpc_endpoint(call: Call) -> dict[str, Any]:
    given = call.parameters
    if "VpcId" not in given:  # the model does not say that they are required
        raise Ec2ParameterMissing("VpcId")
    if "ServiceName" not in given:
        raise Ec2ParameterMissing("ServiceName")
    service = parse_service_name(given["ServiceName"], call.registry.region)
    kind = _type(given.get("VpcEndpointType", EndpointType.GATEWAY.value))
    if kind not in service.types:
        raise Ec2ParameterInvalid(f"Endpoint type ({kind.value}) does not match available service types")
    shown = await call.services.vpc_endpoint.create(
        NewVpcEndpoint(
            call.registry,
            check_id(IdKind.VPC, given["VpcId"]),
            service,
            kind,
            given.get("PolicyDocument"),
            _subnets(given, "SubnetIds", kind),
            _wanted(given),
            _options(given, kind),
            read_tags(one for spec in _tag_specifications(given) for one in spec.get("Tags") or ()),
            given.get("ClientToken"),
        )
    )
    if service.host is None:
        log.info("endpoint.without_effect", endpoint=shown.endpoint.id, service=service.name)
    return {"VpcEndpoint": pack_endpoint(shown), "ClientToken": given.get("ClientToken")}


async def describe_vpc_endpoints(call: Call) -> dict[str, Any]:
    found = await call.services.vpc_endpoint.list(call.registry)
    if wanted := call.parameters.get("VpcEndpointIds"):
        by_id = {one.endpoint.id: one for one in found}
        for endpoint_id in wanted:
            if check_id(IdKind.ENDPOINT, endpoint_id) not in by_id:
                raise EndpointNotFound(endpoint_id)
        found = [by_id[endpoint_id] for endpoint_id in sorted(set(wanted))]
    items, token = paged(call, filtered(call, found, _FACETS, lambda one: one.tags), lambda one: one.endpoint.id)
    return {"VpcEndpoints": [pack_endpoint(one) for one in items], "NextToken": token}


async def modify_vpc_endpoint(call: Call) -> dict[str, Any]:
    given = call.parameters
    dns = given.get("DnsOptions") or {}
    if given.get("ResetPolicy") and "PolicyDocument" in given:
        raise Ec2ParameterInvalid("ResetPolicy and PolicyDocument cannot be given together")
    change = EndpointChange(
        given.get("PolicyDocument"),
        bool(given.get("ResetPolicy")),
        _ids(IdKind.SUBNET, given, "AddSubnetIds"),
        _ids(IdKind.SUBNET, given, "RemoveSubnetIds"),
        _wanted(given),
        _ids(IdKind.SECURITY_GROUP, given, "AddSecurityGroupIds"),
        _ids(IdKind.SECURITY_GROUP, given, "RemoveSecurityGroupIds"),
        _ids(IdKind.ROUTE_TABLE, given, "AddRouteTableIds"),
        _ids(IdKind.ROUTE_TABLE, given, "RemoveRouteTableIds"),
        given.get("PrivateDnsEnabled"),
        given.get("IpAddressType"),
        dns.get("DnsRecordIpType"),
    )
    endpoint_id = check_id(IdKind.ENDPOINT, given["VpcEndpointId"])
    await call.services.vpc_endpoint.modify(call.registry, endpoint_id, change)
    return {"Return": True}


async def delete_vpc_endpoints(call: Call) -> dict[str, Any]:
    failures = []
    for endpoint_id in call.parameters["VpcEndpointIds"]:
        try:
            await call.services.vpc_endpoint.delete(call.registry, check_id(IdKind.ENDPOINT, endpoint_id))
        except EndpointNotFound:
            failures.append((endpoint_id, *endpoint_not_found(endpoint_id)))
        except Ec2IdMalformed as error:
            failures.append((endpoint_id, *malformed(error)))
    items = [{"ResourceId": one, "Error": {"Code": code, "Message": words}} for one, code, words in failures]
    return {"Unsuccessful": items}


def pack_endpoint(shown: ShownEndpoint) -> dict[str, Any]:
    """An endpoint on the wire."""
    endpoint, options = shown.endpoint, shown.endpoint.options
    return {
        "VpcEndpointId": endpoint.id,
        "VpcEndpointType": endpoint.type.value,
        "VpcId": endpoint.vpc_id,
        "ServiceName": endpoint.service_name,
        "State": endpoint.state.value,
        "PolicyDocument": shown.policy or FULL_ACCESS,
        "RouteTableIds": list(options.route_table_ids),
        "SubnetIds": [one.subnet_id for one in endpoint.interfaces],
        "Groups": [{"GroupId": one, "GroupName": group_name(endpoint.vpc_id, one)} for one in options.group_ids],
        "IpAddressType": options.ip_address_type,
        "DnsOptions": {"DnsRecordIpType": options.dns_record_ip_type},
        "PrivateDnsEnabled": options.has_private_dns,
        "RequesterManaged": False,
        "NetworkInterfaceIds": [one.id for one in endpoint.interfaces],
        "DnsEntries": [{"DnsName": name, "HostedZoneId": _ZONE_ID} for name in endpoint.dns_names],
        "CreationTimestamp": endpoint.created_at,
        "Tags": pack_tags(shown.tags),
        "OwnerId": endpoint.owner.account_id,
        "LastError": _last_error(endpoint),
        "ServiceRegion": endpoint.owner.region,
    }


def default_group(vpc_id: str) -> str:
    """The id of a VPC's default security group: there is none, but endpoints are shown with it."""
    return f"sg-{hashlib.sha256(vpc_id.encode()).hexdigest()[:17]}"


def group_name(vpc_id: str, group_id: str) -> str:
    """What a security group is called."""
    return "default" if group_id == default_group(vpc_id) else group_id


def _last_error(endpoint: VpcEndpoint) -> dict[str, str] | None:
    if endpoint.state is not State.FAILED or endpoint.problem is None:
        return None
    return {"Code": "AddressNotUsable", "Message": endpoint.problem}


def _type(text: str) -> EndpointType:
    try:
        return EndpointType(text)
    except ValueError as error:
        raise Ec2ParameterInvalid(f"Endpoint type ({text}) does not match available service types") from error


def _ids(kind: IdKind, given: Mapping[str, Any], member: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(check_id(kind, one) for one in given.get(member) or ()))


def _subnets(given: Mapping[str, Any], member: str, kind: EndpointType) -> tuple[str, ...]:
    named = _ids(IdKind.SUBNET, given, member)
    configured = [one["SubnetId"] for one in given.get("SubnetConfigurations") or () if "SubnetId" in one]
    ids = tuple(dict.fromkeys([*named, *(check_id(IdKind.SUBNET, one) for one in configured)]))
    if ids and kind is EndpointType.GATEWAY:
        raise Ec2ParameterInvalid("SubnetIds cannot be used with the endpoint type Gateway")
    return ids


def _wanted(given: Mapping[str, Any]) -> dict[str, str]:
    """IP addresses that are asked for, by subnet."""
    found: dict[str, str] = {}
    for one in given.get("SubnetConfigurations") or ():
        address = one.get("Ipv4") or one.get("Ipv6")
        if address and "SubnetId" in one:
            try:
                found[one["SubnetId"]] = str(ipaddress.ip_address(address))
            except ValueError as error:
                raise Ec2ParameterInvalid(f"'{address[:64]}' is not an IP address") from error
    return found


def _options(given: Mapping[str, Any], kind: EndpointType) -> EndpointOptions:
    groups = _ids(IdKind.SECURITY_GROUP, given, "SecurityGroupIds")
    tables = _ids(IdKind.ROUTE_TABLE, given, "RouteTableIds")
    is_interface = kind is EndpointType.INTERFACE
    if groups and not is_interface:
        raise Ec2ParameterInvalid("SecurityGroupIds cannot be used with the endpoint type Gateway")
    if tables and is_interface:
        raise Ec2ParameterInvalid("RouteTableIds cannot be used with the endpoint type Interface")
    address_type = given.get("IpAddressType", "ipv4")
    return EndpointOptions(
        groups or ((default_group(given["VpcId"]),) if is_interface else ()),
        tables,
        given.get("PrivateDnsEnabled", is_interface) and is_interface,
        address_type,
        (given.get("DnsOptions") or {}).get("DnsRecordIpType", address_type if is_interface else "service-defined"),
    )


def _tag_specifications(given: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for one in given.get("TagSpecifications") or ():
        if one.get("ResourceType") != "vpc-endpoint":
            raise Ec2ParameterInvalid(f"'{one.get('ResourceType')}' is not a valid taggable resource type here")
        yield one


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateVpcEndpoint": (ResourceKind.NEW_ENDPOINT, create_vpc_endpoint),
    "DescribeVpcEndpoints": (ResourceKind.ANY, describe_vpc_endpoints),
    "ModifyVpcEndpoint": (ResourceKind.ENDPOINT, modify_vpc_endpoint),
    "DeleteVpcEndpoints": (ResourceKind.ENDPOINTS, delete_vpc_endpoints),
}
"""By name: what each is authorised on, and its handler."""
