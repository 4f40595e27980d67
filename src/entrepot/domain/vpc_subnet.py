"""Subnets of private endpoints: where clients are, and on which addresses endpoints can listen, as operators say it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from entrepot.domain.registry import Registry


@dataclass(frozen=True, slots=True)
class VpcSubnet:
    """A subnet that an operator has described."""

    owner: Registry
    id: str
    vpc_id: str
    zone: str
    """Availability zone: `us-east-1a`."""
    cidrs: tuple[str, ...]
    """Networks whose clients may come in through endpoints of this subnet."""
    addresses: tuple[str, ...]
    """URLs, each for one endpoint: `https://10.0.1.10`."""


def host_of(address: str) -> str:
    """The IP address in a URL that is listened on."""
    return urlsplit(address).hostname or ""


Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def networks_of(cidrs: Iterable[str]) -> Networks:
    """Networks from their texts."""
    return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)


def is_within(address: str, networks: Networks) -> bool:
    """Whether an IP address lies in one of some networks; IPv4 in the form of IPv6 counts as IPv4."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    plain = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(plain in network for network in networks)
