"""Resource tags of repositories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, select

from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import resource_tag


def list_resource_tags(connection: Connection, repository_id: int) -> dict[str, str]:
    """The tags in bytewise order of their keys."""
    columns = resource_tag.c
    rows = connection.execute(
        select(columns.key, columns.value).where(columns.repository_id == repository_id).order_by(columns.key)
    )
    return {row.key: row.value for row in rows}


def put_resource_tags(connection: Connection, repository_id: int, tags: Mapping[str, str]) -> None:
    """Add tags; one that exists gets the new value."""
    if not tags:
        return
    statement = insert(connection, resource_tag)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["repository_id", "key"], set_={"value": statement.excluded.value}
        ),
        [{"repository_id": repository_id, "key": key, "value": value} for key, value in tags.items()],
    )


def delete_resource_tags(connection: Connection, repository_id: int, keys: Iterable[str]) -> None:
    """Remove tags; keys that are not there do not matter."""
    connection.execute(
        delete(resource_tag).where(resource_tag.c.repository_id == repository_id, resource_tag.c.key.in_(list(keys)))
    )
