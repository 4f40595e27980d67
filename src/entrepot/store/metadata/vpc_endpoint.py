"""VPC endpoints: found, listed, made, changed and deleted, each with its interfaces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, delete, select, update

from entrepot.domain.passage import Gate
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import SERVICES, EndpointOptions, EndpointType, Interface, VpcEndpoint
from entrepot.store.metadata.base import from_micros, insert, to_micros
from entrepot.store.metadata.schema import vpc_endpoint, vpc_endpoint_subnet, vpc_subnet

_TUPLES = ("group_ids", "route_table_ids")


def insert_endpoint(
    connection: Connection, made: VpcEndpoint, client_token: str | None = None, request_hash: str | None = None
) -> None:
    """Add an endpoint with its interfaces."""
    values = {
        "id": made.id,
        "account_id": made.owner.account_id,
        "region": made.owner.region,
        "vpc_id": made.vpc_id,
        "service": made.service.name,
        "type": made.type.value,
        "client_token": client_token,
        "request_hash": request_hash,
        "created_at": to_micros(made.created_at),
    }
    connection.execute(insert(connection, vpc_endpoint).values(**values, **_changeable(made)))
    insert_interfaces(connection, made.id, made.interfaces)


def update_endpoint(connection: Connection, changed: VpcEndpoint) -> None:
    """Write what can change of an endpoint, but for its interfaces."""
    connection.execute(update(vpc_endpoint).where(vpc_endpoint.c.id == changed.id).values(**_changeable(changed)))


def _changeable(endpoint: VpcEndpoint) -> dict[str, Any]:
    policy = endpoint.policy
    return {
        "policy": policy and policy.document,
        "policy_principals": policy and json.dumps(dict(policy.principals)),
        "options": json.dumps(asdict(endpoint.options)),
        "epoch": endpoint.epoch,
        "is_deleting": endpoint.is_deleting,
    }


def delete_endpoint(connection: Connection, endpoint_id: str) -> None:
    """Remove an endpoint with its interfaces."""
    connection.execute(delete(vpc_endpoint_subnet).where(vpc_endpoint_subnet.c.endpoint_id == endpoint_id))
    connection.execute(delete(vpc_endpoint).where(vpc_endpoint.c.id == endpoint_id))


def insert_interfaces(connection: Connection, endpoint_id: str, interfaces: Sequence[Interface]) -> None:
    """Add interfaces to an endpoint."""
    rows = [
        {"endpoint_id": endpoint_id, "subnet_id": one.subnet_id, "interface_id": one.id, "address": one.address}
        for one in interfaces
    ]
    if rows:
        connection.execute(insert(connection, vpc_endpoint_subnet), rows)


def delete_interfaces(connection: Connection, endpoint_id: str, subnet_ids: Iterable[str]) -> None:
    """Take an endpoint out of subnets."""
    columns = vpc_endpoint_subnet.c
    connection.execute(
        delete(vpc_endpoint_subnet).where(columns.endpoint_id == endpoint_id, columns.subnet_id.in_(list(subnet_ids)))
    )


def set_address(connection: Connection, interface_id: str, address: str | None) -> None:
    """Give an interface another address, which nobody listens on yet."""
    _update_interface(connection, vpc_endpoint_subnet.c.interface_id == interface_id, address=address)


def clear_listening(connection: Connection) -> None:
    """Note that nobody listens on any address."""
    connection.execute(update(vpc_endpoint_subnet).values(is_listening=False, problem=None))


def set_listening(connection: Connection, gate: Gate) -> None:
    """Note that every worker listens on an address."""
    connection.execute(update(vpc_endpoint_subnet).where(*_at(gate)).values(is_listening=True, problem=None))


def set_problem(connection: Connection, gate: Gate, problem: str) -> None:
    """Note why an address cannot be listened on."""
    connection.execute(update(vpc_endpoint_subnet).where(*_at(gate)).values(is_listening=False, problem=problem))


def _at(gate: Gate) -> list[Any]:
    columns = vpc_endpoint_subnet.c
    return [columns.address == gate.address, columns.endpoint_id == gate.endpoint_id]


def _update_interface(connection: Connection, where: Any, address: str | None) -> None:
    values = {"address": address, "is_listening": False, "problem": None}
    connection.execute(update(vpc_endpoint_subnet).where(where).values(**values))


def used_addresses(connection: Connection) -> set[str]:
    """The addresses that belong to an endpoint, of any account."""
    columns = vpc_endpoint_subnet.c
    return set(connection.scalars(select(columns.address).where(columns.address.is_not(None))))


def find_endpoint(connection: Connection, endpoint_id: str, owner: Registry | None = None) -> VpcEndpoint | None:
    """An endpoint by id, of anybody's or of one account in one region."""
    statement = select(vpc_endpoint).where(vpc_endpoint.c.id == endpoint_id)
    found = _load(connection, statement.where(*_of(owner)) if owner else statement)
    return found[0] if found else None


def find_by_token(connection: Connection, owner: Registry, token: str) -> tuple[VpcEndpoint, str] | None:
    """The endpoint that was made with a client token, and the hash of the request that made it."""
    statement = select(vpc_endpoint).where(*_of(owner), vpc_endpoint.c.client_token == token)
    found = _load(connection, statement)
    if not found:
        return None
    kept = connection.scalar(select(vpc_endpoint.c.request_hash).where(vpc_endpoint.c.id == found[0].id))
    return found[0], str(kept)


def list_endpoints(connection: Connection, owner: Registry | None = None) -> list[VpcEndpoint]:
    """All endpoints by id, of one account in one region or of everybody."""
    statement = select(vpc_endpoint)
    return _load(connection, statement.where(*_of(owner)) if owner else statement)


class GateRow(NamedTuple):
    """An endpoint as every request through it reads it."""

    epoch: int
    is_deleting: bool
    cidrs: tuple[str, ...]
    """Of all its subnets that an operator has described: JSON lists."""


def _gate_statement() -> Select[Any]:
    """One row for each subnet of the endpoint that is described, if the endpoint has the address."""
    mine, gate = vpc_endpoint_subnet.alias("mine"), vpc_endpoint_subnet.alias("gate")
    of_subnet = (
        (vpc_subnet.c.account_id == vpc_endpoint.c.account_id)
        & (vpc_subnet.c.region == vpc_endpoint.c.region)
        & (vpc_subnet.c.subnet_id == mine.c.subnet_id)
    )
    return (
        select(vpc_endpoint.c.epoch, vpc_endpoint.c.is_deleting, vpc_subnet.c.cidrs)
        .join(gate, gate.c.endpoint_id == vpc_endpoint.c.id)
        .join(mine, mine.c.endpoint_id == vpc_endpoint.c.id)
        .join(vpc_subnet, of_subnet)
        .where(vpc_endpoint.c.id == bindparam("endpoint_id"), gate.c.address == bindparam("address"))
    )


_FIND_GATE: Final = _gate_statement()


def find_gate(connection: Connection, gate: Gate) -> GateRow | None:
    """What every request through a gate must know; None when the endpoint does not have that address."""
    found = connection.execute(_FIND_GATE, {"endpoint_id": gate.endpoint_id, "address": gate.address}).all()
    return GateRow(found[0].epoch, found[0].is_deleting, tuple(row.cidrs for row in found)) if found else None


def _of(owner: Registry) -> list[Any]:
    return [vpc_endpoint.c.account_id == owner.account_id, vpc_endpoint.c.region == owner.region]


def _load(connection: Connection, statement: Select[Any]) -> list[VpcEndpoint]:
    rows = connection.execute(statement.order_by(vpc_endpoint.c.id)).all()
    interfaces: dict[str, list[Interface]] = {row.id: [] for row in rows}
    columns = vpc_endpoint_subnet.c
    of_them = select(vpc_endpoint_subnet).where(columns.endpoint_id.in_(list(interfaces))).order_by(columns.subnet_id)
    for row in connection.execute(of_them) if interfaces else ():
        interfaces[row.endpoint_id].append(
            Interface(row.subnet_id, row.interface_id, row.address, row.is_listening, row.problem)
        )
    return [_to_endpoint(row, tuple(interfaces[row.id])) for row in rows]


def _to_endpoint(row: Row[Any], interfaces: tuple[Interface, ...]) -> VpcEndpoint:
    options: dict[str, Any] = json.loads(row.options)
    options |= {name: tuple(options[name]) for name in _TUPLES}
    return VpcEndpoint(
        row.id,
        Registry(row.account_id, row.region),
        row.vpc_id,
        SERVICES[row.service],
        EndpointType(row.type),
        None if row.policy is None else SavedPolicy(row.policy, json.loads(row.policy_principals)),
        EndpointOptions(**options),
        interfaces,
        row.is_deleting,
        from_micros(row.created_at),
        row.epoch,
    )
