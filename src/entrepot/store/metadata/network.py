"""The network: one counter that says when what is listened on has changed, and the subnets that operators describe."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from entrepot.domain.registry import Registry
from entrepot.domain.vpc_subnet import VpcSubnet
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import network, vpc_subnet

_ROW = 1


def raise_network_epoch(connection: Connection) -> None:
    """Begin a change of what is listened on: other changes wait, and workers will look again."""
    statement = insert(connection, network).values(id=_ROW, epoch=1)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"epoch": network.c.epoch + 1}))


def find_network_epoch(connection: Connection) -> int:
    """Raised by every change."""
    return connection.scalar(select(network.c.epoch).where(network.c.id == _ROW)) or 0


def put_subnet(connection: Connection, subnet: VpcSubnet) -> None:
    """Describe a subnet, anew if it is known."""
    described = {
        "vpc_id": subnet.vpc_id,
        "zone": subnet.zone,
        "cidrs": json.dumps(subnet.cidrs),
        "addresses": json.dumps(subnet.addresses),
    }
    keys = {"account_id": subnet.owner.account_id, "region": subnet.owner.region, "subnet_id": subnet.id}
    statement = insert(connection, vpc_subnet).values(**keys, **described)
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=described))


def delete_subnet(connection: Connection, owner: Registry, subnet_id: str) -> bool:
    """Forget a subnet; whether it was known."""
    statement = delete(vpc_subnet).where(*_of(owner), vpc_subnet.c.subnet_id == subnet_id)
    return connection.execute(statement).rowcount > 0


def find_subnet(connection: Connection, owner: Registry, subnet_id: str) -> VpcSubnet | None:
    """A subnet that an operator has described."""
    row = connection.execute(select(vpc_subnet).where(*_of(owner), vpc_subnet.c.subnet_id == subnet_id)).one_or_none()
    return None if row is None else _to_subnet(row)


def list_subnets(connection: Connection, owner: Registry | None = None) -> list[VpcSubnet]:
    """All subnets that are described, of one account and region or of all, by their keys."""
    columns = vpc_subnet.c
    statement = select(vpc_subnet).order_by(columns.account_id, columns.region, columns.subnet_id)
    return [_to_subnet(row) for row in connection.execute(statement.where(*_of(owner)) if owner else statement)]


def find_owner_of_vpc(connection: Connection, vpc_id: str) -> Registry | None:
    """Whose subnets are described as those of a VPC."""
    row = connection.execute(
        select(vpc_subnet.c.account_id, vpc_subnet.c.region).where(vpc_subnet.c.vpc_id == vpc_id).limit(1)
    ).one_or_none()
    return None if row is None else Registry(row.account_id, row.region)


def _of(owner: Registry) -> list[Any]:
    return [vpc_subnet.c.account_id == owner.account_id, vpc_subnet.c.region == owner.region]


def _to_subnet(row: Row[Any]) -> VpcSubnet:
    return VpcSubnet(
        Registry(row.account_id, row.region),
        row.subnet_id,
        row.vpc_id,
        row.zone,
        tuple(json.loads(row.cidrs)),
        tuple(json.loads(row.addresses)),
    )
