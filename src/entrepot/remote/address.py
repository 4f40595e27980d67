"""Addresses that the server may connect to: those of the public internet, and those that the operator allows.

Whoever can make the server fetch a URL must not reach what only the server can: loopback, link-local addresses such as
a cloud's metadata service, private networks.

Spec: IANA IPv4 and IPv6 Special-Purpose Address Registries; SECURITY of the design, "Outbound".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96")))
"""Networks of IPv6 whose last 32 bits are the IPv4 address that is meant: compatible, mapped, NAT64."""

_WITHDRAWN: Final = tuple(map(ipaddress.ip_network, ("fec0::/10", "3fff::/20", "192.88.99.0/24")))
"""Never public, whatever this Python knows: site-local, documentation, relays of 6to4."""


def is_allowed(text: str, allowed: Iterable[Network]) -> bool:
    """Whether an address, as text, is of the public internet or in one of the allowed networks."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if any(address in network for network in allowed):
        return True
    return all(_is_public(one) for one in _leads_to(address))


def _is_public(address: Address) -> bool:
    if any(address in network for network in _WITHDRAWN):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _leads_to(address: Address) -> list[Address]:
    """The address, and the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if any(address in network for network in _EMBEDDING):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    found: list[Address | None] = [address, address.sixtofour, *(address.teredo or ())]
    return [one for one in found if one is not None]
