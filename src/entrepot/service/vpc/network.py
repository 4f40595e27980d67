"""Networks as operators describe them: which clients are in a subnet, and where its endpoints can listen."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from entrepot.domain.error import InvalidParameter
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import VpcEndpoint
from entrepot.domain.vpc_subnet import VpcSubnet
from entrepot.store.metadata import network as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import find_account
from entrepot.store.metadata.network import raise_network_epoch
from entrepot.store.metadata.vpc_endpoint import list_endpoints, set_address, update_endpoint, used_addresses


class VpcNetworkService:
    """What operators say of subnets. EC2's API only reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def subnets(self, owner: Registry | None = None) -> list[VpcSubnet]:
        """The subnets that are described, of one account in one region or of all."""
        return await self._database.read(lambda connection: rows.list_subnets(connection, owner))

    async def endpoints(self) -> list[VpcEndpoint]:
        """All endpoints of all accounts, by id."""
        return await self._database.read(list_endpoints)

    async def bind(self, subnet: VpcSubnet) -> list[VpcEndpoint]:
        """Describe a subnet; the endpoints in it, of which those without an address have one now if there are enough.

        Raises:
            InvalidParameter: no such account, a VPC of another account or region, an endpoint there of another VPC, or
                an address of another subnet.
        """

        def change(connection: Connection) -> list[VpcEndpoint]:
            raise_network_epoch(connection)
            self._check(connection, subnet)
            rows.put_subnet(connection, subnet)
            _give_addresses(connection, subnet)
            return _in_subnet(connection, subnet.owner, subnet.id)

        return await self._database.write(change)

    def _check(self, connection: Connection, subnet: VpcSubnet) -> None:
        owner = rows.find_owner_of_vpc(connection, subnet.vpc_id)
        if find_account(connection, subnet.owner.account_id) is None:
            raise InvalidParameter("account", f"{subnet.owner.account_id} does not exist")
        if owner not in (None, subnet.owner):
            raise InvalidParameter("vpc", f"{subnet.vpc_id} belongs to another account or region")
        if foreign := [e for e in _in_subnet(connection, subnet.owner, subnet.id) if e.vpc_id != subnet.vpc_id]:
            raise InvalidParameter("vpc", f"the endpoint {foreign[0].id} in this subnet is in {foreign[0].vpc_id}")
        others = [one for one in rows.list_subnets(connection) if (one.owner, one.id) != (subnet.owner, subnet.id)]
        for other in others:
            if taken := set(other.addresses) & set(subnet.addresses):
                raise InvalidParameter("address", f"{min(taken)} belongs to the subnet {other.id}")

    async def unbind(self, owner: Registry, subnet_id: str) -> list[VpcEndpoint] | None:
        """Forget a subnet: its endpoints are not listened on there any more; those endpoints, None: it is unknown."""

        def change(connection: Connection) -> list[VpcEndpoint] | None:
            raise_network_epoch(connection)
            known = rows.find_subnet(connection, owner, subnet_id)
            if known is None:
                return None
            _give_addresses(connection, replace(known, addresses=()))
            rows.delete_subnet(connection, owner, subnet_id)
            return _in_subnet(connection, owner, subnet_id)

        return await self._database.write(change)


def _in_subnet(connection: Connection, owner: Registry, subnet_id: str) -> list[VpcEndpoint]:
    found = list_endpoints(connection, owner)
    return [one for one in found if any(part.subnet_id == subnet_id for part in one.interfaces)]


def _give_addresses(connection: Connection, subnet: VpcSubnet) -> None:
    """Take addresses away that the subnet does not have any more, and give those that are free."""
    for endpoint in _in_subnet(connection, subnet.owner, subnet.id):
        part = next(one for one in endpoint.interfaces if one.subnet_id == subnet.id)
        if part.address in subnet.addresses or endpoint.service.host is None or endpoint.is_deleting:
            continue
        used = used_addresses(connection)
        free = next((one for one in subnet.addresses if one not in used), None)
        if free != part.address:
            set_address(connection, part.id, free)
            update_endpoint(connection, replace(endpoint, epoch=endpoint.epoch + 1))
