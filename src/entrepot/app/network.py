"""The network as operators describe it: subnets with their clients and addresses, and names that lead to endpoints."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from entrepot.app.config import Settings
from entrepot.app.listener import Listener
from entrepot.app.workbench import CommandError, Workbench, run
from entrepot.domain.ec2_error import Ec2IdMalformed
from entrepot.domain.error import InvalidParameter
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import IdKind, VpcEndpoint, check_id
from entrepot.domain.vpc_subnet import VpcSubnet, host_of
from entrepot.service.identity import IdentityService
from entrepot.service.vpc.network import VpcNetworkService

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewBinding:
    """What an operator says of a subnet, as it was typed."""

    subnet_id: str
    vpc_id: str
    cidrs: Sequence[str]
    addresses: Sequence[str]
    zone: str | None


def bind(settings: Settings, owner: Registry, given: NewBinding) -> tuple[VpcSubnet, list[VpcEndpoint]]:
    """Describe a subnet; also the endpoints in it.

    Raises:
        CommandError: a wrong id, network or address, or one that belongs to another subnet or account.
    """
    try:
        check_id(IdKind.SUBNET, given.subnet_id)
        check_id(IdKind.VPC, given.vpc_id)
        cidrs = tuple(dict.fromkeys(str(ipaddress.ip_network(one)) for one in given.cidrs))
        addresses = tuple(dict.fromkeys(_address(settings, one) for one in given.addresses))
    except Ec2IdMalformed as error:
        raise CommandError(f"{error.id} is not the id of a {error.kind}: {error.kind}-0123456789abcdef0") from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    zone = given.zone or f"{owner.region}a"
    subnet = VpcSubnet(owner, given.subnet_id, given.vpc_id, zone, cidrs, addresses)
    return subnet, _with_network(settings, lambda network: network.bind(subnet))


def unbind(settings: Settings, owner: Registry, subnet_id: str) -> list[VpcEndpoint]:
    """Forget a subnet; the endpoints that are in it.

    Raises:
        CommandError: it is not bound.
    """
    found = _with_network(settings, lambda network: network.unbind(owner, subnet_id))
    if found is None:
        raise CommandError(f"{subnet_id} is not bound: `entrepot admin network list` shows what is")
    return found


def list_network(settings: Settings) -> tuple[list[VpcSubnet], list[VpcEndpoint]]:
    """All subnets that are bound, and all endpoints."""

    async def work(network: VpcNetworkService) -> tuple[list[VpcSubnet], list[VpcEndpoint]]:
        return await network.subnets(), await network.endpoints()

    return _with_network(settings, work)


def account_ids(settings: Settings) -> list[str]:
    """The accounts that there are."""

    async def work(bench: Workbench) -> list[str]:
        accounts = await IdentityService(bench.database, bench.context, bench.keys).list_accounts()
        return [account.id for account in accounts]

    return run(settings, work)


def hosts_lines(endpoints: Iterable[VpcEndpoint], accounts: Sequence[str]) -> list[str]:
    """Lines of a hosts file, which knows no wildcards: one for each account."""
    lines = []
    for endpoint in endpoints:
        for address in map(host_of, endpoint.addresses):
            names = list(dict.fromkeys(name for one in endpoint.dns_names for name in _without_wildcard(one, accounts)))
            lines.append(f"{address} {' '.join(names)}")
    return lines


def zone_lines(endpoints: Iterable[VpcEndpoint]) -> list[str]:
    """Records of a DNS zone, with full names."""
    return [
        f"{name}. 60 IN {'AAAA' if ':' in address else 'A'} {address}"
        for endpoint in endpoints
        for name in endpoint.dns_names
        for address in map(host_of, endpoint.addresses)
    ]


def is_local(address: str) -> bool:
    """Whether this machine has the IP address of a URL."""
    host = host_of(address)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        try:
            tried.bind((host, 0))
        except OSError:
            return False
    return True


def _without_wildcard(name: str, accounts: Sequence[str]) -> list[str]:
    return [f"{one}.{name[2:]}" for one in accounts] if name.startswith("*.") else [name]


def _address(settings: Settings, text: str) -> str:
    """A URL that can be listened on; an address alone means https on its usual port."""
    shown = f"[{text}]" if text.count(":") > 1 and "/" not in text and not text.startswith("[") else text
    listener = Listener.parse(shown if "://" in shown else f"https://{shown}")
    if listener.port == 0 or ipaddress.ip_address(listener.host).is_unspecified:
        raise ValueError(f"{text}: an endpoint needs an address and a port of its own")
    if not (listener.is_secure or listener.is_loopback or settings.insecure):
        raise ValueError(f"{text} is plain HTTP that other machines reach: use https, or --insecure")
    return listener.url


def _with_network(settings: Settings, act: Callable[[VpcNetworkService], Awaitable[T]]) -> T:
    async def work(bench: Workbench) -> T:
        try:
            return await act(VpcNetworkService(bench.database))
        except InvalidParameter as error:
            raise CommandError(error.detail) from error

    return run(settings, work)
