"""Private endpoints made, changed and deleted at the same moment on two connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from entrepot.domain.ec2_error import AddressesUsedUp, Ec2Error, EndpointNotFound
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import SERVICES, EndpointType
from entrepot.domain.vpc_subnet import VpcSubnet
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.vpc.endpoint import EndpointChange, NewVpcEndpoint, ShownEndpoint, VpcEndpointService
from entrepot.service.vpc.listening import ListeningService
from entrepot.service.vpc.network import VpcNetworkService
from entrepot.service.vpc.tag import Ec2TagService
from entrepot.store.metadata.base import Database
from tests.support.service import REGISTRY

VPC, SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"
ADDRESSES = tuple(f"https://10.9.0.{number}" for number in (10, 11, 12))


def new(token: str | None = None, owner: Registry = REGISTRY) -> NewVpcEndpoint:
    service = SERVICES["ecr.api"]
    return NewVpcEndpoint(owner, VPC, service, EndpointType.INTERFACE, subnet_ids=(SUBNET,), client_token=token)


@pytest.fixture
async def services(
    database: Database, second_database: Database, identity_service: IdentityService
) -> tuple[VpcEndpointService, VpcEndpointService]:
    """Endpoints on two connections, in a subnet with three addresses."""
    await identity_service.ensure_account(REGISTRY.account_id, "main")
    await VpcNetworkService(database).bind(VpcSubnet(REGISTRY, SUBNET, VPC, "a", ("10.9.0.0/24",), ADDRESSES))
    return VpcEndpointService(database, Context()), VpcEndpointService(second_database, Context())


async def all_of(*work: Awaitable[Any]) -> list[Any]:
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Ec2Error):
            raise outcome
    return outcomes


async def test_each_address_is_given_once(services: tuple[VpcEndpointService, VpcEndpointService]) -> None:
    outcomes = await all_of(*(services[number % 2].create(new()) for number in range(8)))
    made = [one for one in outcomes if isinstance(one, ShownEndpoint)]
    assert sorted(address for one in made for address in one.endpoint.addresses) == sorted(ADDRESSES)
    assert [type(one) for one in outcomes if not isinstance(one, ShownEndpoint)] == [AddressesUsedUp] * 5


async def test_a_token_makes_one_endpoint(services: tuple[VpcEndpointService, VpcEndpointService]) -> None:
    outcomes = await all_of(*(services[number % 2].create(new("once")) for number in range(6)))
    assert len({one.endpoint.id for one in outcomes}) == 1


async def test_changes_of_one_endpoint_are_not_lost(
    database: Database, services: tuple[VpcEndpointService, VpcEndpointService]
) -> None:
    made = (await services[0].create(new())).endpoint
    groups = [f"sg-0123456789abcde{number:02}" for number in range(8)]
    changes = [
        services[number % 2].modify(REGISTRY, made.id, EndpointChange(added_groups=(group,)))
        for number, group in enumerate(groups)
    ]
    await all_of(*changes)
    (shown,) = await services[0].list(REGISTRY)
    assert (sorted(shown.endpoint.options.group_ids), shown.endpoint.epoch) == (groups, made.epoch + len(groups))

    tags = Ec2TagService(database)
    outcomes = await all_of(
        services[0].delete(REGISTRY, made.id),
        services[1].modify(REGISTRY, made.id, EndpointChange(has_private_dns=True)),
        tags.add(REGISTRY, [made.id], {"a": "b"}),
        services[1].delete(REGISTRY, made.id),
    )
    assert sum(isinstance(one, EndpointNotFound) for one in outcomes) >= 1
    await ListeningService(database).report_closed(made.addresses)
    assert await services[0].list(REGISTRY) == []
    assert await tags.by_resource(REGISTRY) == {}
    assert (await services[1].create(new())).endpoint.addresses  # all addresses are free again


async def test_nobody_claims_anothers_vpc(database: Database, services: Any, identity_service: IdentityService) -> None:
    del services
    other = Registry("210987654321", REGISTRY.region)
    await identity_service.ensure_account(other.account_id, "other")
    network = VpcNetworkService(database)
    with pytest.raises(Exception, match="belongs to another account"):
        await network.bind(VpcSubnet(other, "subnet-11111111", VPC, "a", ("10.9.0.0/24",), ()))
    with pytest.raises(Exception, match="belongs to the subnet"):
        await network.bind(VpcSubnet(other, "subnet-11111111", "vpc-11111111", "a", ("10.9.0.0/24",), ADDRESSES[:1]))
    endpoint = (await VpcEndpointService(database, Context()).create(new(owner=other))).endpoint
    assert endpoint.addresses == ()
