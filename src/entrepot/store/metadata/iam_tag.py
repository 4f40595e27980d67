"""Tags of users, roles and policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, delete, select

from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import iam_tag


def list_tags(connection: Connection, entity_id: str) -> dict[str, str]:
    """Key to value, by key in lower case."""
    rows = connection.execute(
        select(iam_tag.c.key, iam_tag.c.value).where(iam_tag.c.entity_id == entity_id).order_by(iam_tag.c.key_lower)
    )
    return {row.key: row.value for row in rows}


def put_tags(connection: Connection, entity_id: str, tags: Mapping[str, str]) -> None:
    """Add tags; one whose key is there in any case is replaced."""
    if not tags:
        return
    statement = insert(connection, iam_tag)
    replaced = {"key": statement.excluded.key, "value": statement.excluded.value}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["entity_id", "key_lower"], set_=replaced),
        [{"entity_id": entity_id, "key_lower": key.lower(), "key": key, "value": value} for key, value in tags.items()],
    )


def delete_tags(connection: Connection, entity_id: str, keys: Iterable[str]) -> None:
    """Remove tags by key in any case; keys that are not there do not matter."""
    lowered = [key.lower() for key in keys]
    connection.execute(delete(iam_tag).where(iam_tag.c.entity_id == entity_id, iam_tag.c.key_lower.in_(lowered)))


def delete_all_tags(connection: Connection, entity_id: str) -> None:
    """Remove what tags an entity has, before it is deleted."""
    connection.execute(delete(iam_tag).where(iam_tag.c.entity_id == entity_id))


def list_tags_of_many(connection: Connection, entity_ids: Collection[str]) -> list[tuple[str, str, str]]:
    """Entity id, key and value of all tags of some entities, by key in lower case."""
    rows = connection.execute(
        select(iam_tag.c.entity_id, iam_tag.c.key, iam_tag.c.value)
        .where(iam_tag.c.entity_id.in_(entity_ids))
        .order_by(iam_tag.c.key_lower)
    )
    return [(row.entity_id, row.key, row.value) for row in rows]
