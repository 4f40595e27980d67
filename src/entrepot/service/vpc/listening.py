"""Listening: what workers listen on for endpoints, and what they report of it.

An endpoint is available when every worker listens on all of its addresses, and gone when none does any more.

Spec: EC2 API, VpcEndpoint, State.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.passage import Gate
from entrepot.service.vpc.endpoint import forget_endpoint
from entrepot.store.metadata import vpc_endpoint as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.network import find_network_epoch, list_subnets, raise_network_epoch


@dataclass(frozen=True, slots=True)
class WantedGate:
    """What is to be listened on."""

    gate: Gate
    cidrs: tuple[str, ...]
    """Networks of its clients."""
    is_available: bool
    """Whether it was reported that every worker listens."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that is to be listened on, and what is to be left."""

    gates: tuple[WantedGate, ...]
    leaving: tuple[Gate, ...]
    """Of endpoints that go."""


class ListeningService:
    """The network as workers see it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def epoch(self) -> int:
        """Raised by every change."""
        return await self._database.lookup(find_network_epoch)

    async def wanted(self) -> Wanted:
        """What is to be listened on now."""

        def query(connection: Connection) -> Wanted:
            subnets = {(one.owner, one.id): one for one in list_subnets(connection)}
            gates, leaving = list[WantedGate](), list[Gate]()
            for endpoint in rows.list_endpoints(connection):
                described = [subnets.get((endpoint.owner, part.subnet_id)) for part in endpoint.interfaces]
                cidrs = tuple(cidr for one in described if one for cidr in one.cidrs)
                for part in endpoint.interfaces:
                    if part.address:
                        gate = Gate(endpoint.id, part.address)
                        leaving += [gate] if endpoint.is_deleting else []
                        gates += [] if endpoint.is_deleting else [WantedGate(gate, cidrs, part.is_listening)]
            return Wanted(tuple(gates), tuple(leaving))

        return await self._database.read(query)

    async def begin(self) -> None:
        """Nobody listens yet: of a database that one server at a time has open."""
        await self._database.write(rows.clear_listening)

    async def report_listening(self, gate: Gate) -> None:
        """Every worker listens."""
        await self._database.write(lambda connection: rows.set_listening(connection, gate))

    async def report_problem(self, gate: Gate, problem: str) -> None:
        """It cannot be listened on."""
        await self._database.write(lambda connection: rows.set_problem(connection, gate, problem))

    async def report_closed(self, addresses: Collection[str]) -> None:
        """No worker listens on these addresses any more: endpoints that waited for that are gone."""

        def change(connection: Connection) -> None:
            for endpoint in rows.list_endpoints(connection):
                if endpoint.is_deleting and set(endpoint.addresses) <= set(addresses):
                    raise_network_epoch(connection)
                    forget_endpoint(connection, endpoint)

        await self._database.write(change)
