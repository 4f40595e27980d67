"""Tags of EC2: on endpoints, and on whatever else of a VPC somebody tags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from entrepot.domain.registry import Registry
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import ec2_tag

_KEYS = ["account_id", "region", "resource_id", "key"]


def list_tags_by_resource(connection: Connection, owner: Registry) -> dict[str, dict[str, str]]:
    """Resource id to its tags, of everything in an account and region, by key."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    columns = (ec2_tag.c.resource_id, ec2_tag.c.key, ec2_tag.c.value)
    for row in connection.execute(select(*columns).where(*_of(owner)).order_by(ec2_tag.c.resource_id, ec2_tag.c.key)):
        found[row.resource_id][row.key] = row.value
    return found


def list_ec2_tags(connection: Connection, owner: Registry, resource_id: str) -> dict[str, str]:
    """The tags of one resource, by key."""
    statement = select(ec2_tag.c.key, ec2_tag.c.value).where(*_of(owner), ec2_tag.c.resource_id == resource_id)
    return {row.key: row.value for row in connection.execute(statement.order_by(ec2_tag.c.key))}


def put_ec2_tags(connection: Connection, owner: Registry, resource_id: str, tags: Mapping[str, str]) -> None:
    """Add tags; one that exists gets the new value."""
    if not tags:
        return
    statement = insert(connection, ec2_tag)
    place = {"account_id": owner.account_id, "region": owner.region, "resource_id": resource_id}
    connection.execute(
        statement.on_conflict_do_update(index_elements=_KEYS, set_={"value": statement.excluded.value}),
        [{**place, "key": key, "value": value} for key, value in tags.items()],
    )


def delete_ec2_tags(
    connection: Connection, owner: Registry, resource_id: str, tags: Mapping[str, str | None] | None
) -> None:
    """Remove tags by key, those with a value only if they have it; None: all."""
    here = [*_of(owner), ec2_tag.c.resource_id == resource_id]
    if tags is None:
        connection.execute(delete(ec2_tag).where(*here))
        return
    for key, value in tags.items():
        valued = [] if value is None else [ec2_tag.c.value == value]
        connection.execute(delete(ec2_tag).where(*here, ec2_tag.c.key == key, *valued))


def _of(owner: Registry) -> list[Any]:
    return [ec2_tag.c.account_id == owner.account_id, ec2_tag.c.region == owner.region]
