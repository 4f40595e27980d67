"""Passages: whether an endpoint lets a client in now, and what its policy says.

One read for each request that came in through an endpoint, so that a change holds from the next request on, on every
worker. Compiled policies are kept under the endpoint's epoch.

Spec: PrivateLink guide, "Control access to VPC endpoints using endpoint policies".
"""

from __future__ import annotations

import json
from collections import OrderedDict
from functools import lru_cache

from sqlalchemy import Connection

from entrepot.domain.error import EndpointClosed
from entrepot.domain.passage import Gate, Passage
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.saved import with_unique_ids
from entrepot.domain.vpc_endpoint import VpcEndpoint
from entrepot.domain.vpc_subnet import Networks, is_within, networks_of
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.vpc_endpoint import GateRow, find_endpoint, find_gate

_FULL_ACCESS = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
_KEPT_MAX = 1_000


class PassageService:
    """Opens endpoints for requests, for one worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[Gate, Passage] = OrderedDict()

    async def open(self, gate: Gate | None, client: str) -> Passage | None:
        """Let a client in by its IP address; None for a request that came in through no endpoint.

        Raises:
            EndpointClosed: the endpoint does not have that address any more, or the client is not in its networks.
        """
        if gate is None:
            return None
        row = await self._database.lookup(lambda connection: find_gate(connection, gate))
        if row is None or row.is_deleting or not is_within(client, _networks(row.cidrs)):
            raise EndpointClosed(gate.endpoint_id, client)
        known = self._kept.get(gate)
        return known if known is not None and known.epoch == row.epoch else await self._make(gate, row)

    async def _make(self, gate: Gate, row: GateRow) -> Passage:
        def query(connection: Connection) -> VpcEndpoint | None:
            return find_endpoint(connection, gate.endpoint_id)

        endpoint = await self._database.read(query)
        if endpoint is None:
            raise EndpointClosed(gate.endpoint_id, "")
        # It may have changed since: the next request reads another epoch then, and this one meets the newer policy.
        made = Passage(endpoint.id, endpoint.vpc_id, row.epoch, policy_of(endpoint), _url(gate, endpoint))
        self._kept[gate] = made
        while len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return made


def policy_of(endpoint: VpcEndpoint) -> PolicySet:
    """What an endpoint lets through."""
    saved = endpoint.policy
    policy = parse_policy(_FULL_ACCESS if saved is None else saved.document, Kind.ENDPOINT)
    return PolicySet([("VPC endpoint policy", policy if saved is None else with_unique_ids(policy, saved.principals))])


def _url(gate: Gate, endpoint: VpcEndpoint) -> str:
    """By name where a certificate must fit, else by address."""
    scheme, _, address = gate.address.partition("://")
    if scheme != "https":
        return gate.address
    port = address.rpartition("]")[2].partition(":")[2]
    private = [name for name in endpoint.private_dns_names if not endpoint.service.has_accounts]
    name = (private or [endpoint.own_dns_name])[0]
    return f"{scheme}://{name}" + (f":{port}" if port else "")


@lru_cache(maxsize=1_024)
def _networks(cidrs: tuple[str, ...]) -> Networks:
    """Of JSON lists, as they stand in rows."""
    return networks_of([cidr for text in cidrs for cidr in json.loads(text)])
