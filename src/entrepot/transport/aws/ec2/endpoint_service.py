"""Services that endpoints can be made for: DescribeVpcEndpointServices and DescribePrefixLists.

Spec: EC2 API.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from entrepot.domain.ec2_error import Ec2ValueInvalid, ServiceNameUnknown
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import SERVICES, EndpointService, EndpointType, private_name, service_prefix
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.ec2.filter import filtered, paged
from entrepot.transport.aws.resource import ResourceKind

_SHOWN: Final = "ServiceName"


async def describe_vpc_endpoint_services(call: Call) -> dict[str, Any]:
    region = call.registry.region
    details = [_detail(call.registry, service) for service in SERVICES.values()]
    if wanted := call.parameters.get("ServiceNames"):
        known = {one[_SHOWN] for one in details}
        for name in wanted:
            if name not in known:
                raise ServiceNameUnknown(name)
        details = [one for one in details if one[_SHOWN] in wanted]
    if regions := call.parameters.get("ServiceRegions"):
        details = details if region in regions else []
    facets = {
        "owner": lambda one: [one["Owner"]],
        "service-name": lambda one: [one[_SHOWN]],
        "service-region": lambda one: [one["ServiceRegion"]],
        "service-type": lambda one: [each["ServiceType"] for each in one["ServiceType"]],
        "supported-ip-address-types": lambda one: one["SupportedIpAddressTypes"],
    }
    found = filtered(call, sorted(details, key=lambda one: str(one[_SHOWN])), facets, lambda _: {})
    items, token = paged(call, found, lambda one: str(one[_SHOWN]))
    return {"ServiceNames": [one[_SHOWN] for one in items], "ServiceDetails": items, "NextToken": token}


def _detail(owner: Registry, service: EndpointService) -> dict[str, Any]:
    name, zones = private_name(service, owner), availability_zones(owner.region)
    is_private = service.host is not None
    names = [name, f"*.{name}"] if service.has_accounts else [name]
    return {
        _SHOWN: service_prefix(owner.region) + service.name,
        "ServiceId": f"vpce-svc-{_digits(owner.region + service.name)}",
        "ServiceType": [{"ServiceType": one.value} for one in service.types],
        "ServiceRegion": owner.region,
        "AvailabilityZones": zones,
        "Owner": "amazon",
        "BaseEndpointDnsNames": [f"{service.host or service.name}.{owner.region}.vpce.{owner.dns_suffix}"],
        "PrivateDnsName": names[-1] if is_private else None,
        "PrivateDnsNames": [{"PrivateDnsName": one} for one in names] if is_private else [],
        "VpcEndpointPolicySupported": True,
        "AcceptanceRequired": False,
        "ManagesVpcEndpoints": False,
        "Tags": [],
        "SupportedIpAddressTypes": ["ipv4", "ipv6"] if is_private else ["ipv4"],
    }


def availability_zones(region: str) -> list[str]:
    """The zones of a region, as many as it needs to look like one."""
    return [f"{region}{letter}" for letter in "abc"]


async def describe_prefix_lists(call: Call) -> dict[str, Any]:
    """Of the services with gateways: their networks are nowhere, since nothing is routed here."""
    region = call.registry.region
    named = {
        f"pl-{_digits(region + service.name)[:8]}": service_prefix(region) + service.name
        for service in SERVICES.values()
        if EndpointType.GATEWAY in service.types
    }
    for wanted in call.parameters.get("PrefixListIds") or ():
        if wanted not in named:
            raise Ec2ValueInvalid(f"The prefix list ID '{wanted[:64]}' does not exist")
    chosen = call.parameters.get("PrefixListIds") or list(named)
    facets = {"prefix-list-id": lambda one: [one], "prefix-list-name": lambda one: [named[one]]}
    items, token = paged(call, filtered(call, sorted(chosen), facets), str)
    lists = [{"PrefixListId": one, "PrefixListName": named[one], "Cidrs": []} for one in items]
    return {"PrefixLists": lists, "NextToken": token}


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:17]


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "DescribeVpcEndpointServices": (ResourceKind.ANY, describe_vpc_endpoint_services),
    "DescribePrefixLists": (ResourceKind.ANY, describe_prefix_lists),
}
"""By name: what each is authorised on, and its handler."""
