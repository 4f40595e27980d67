"""Tags of KMS keys; keys of tags that differ by case are different ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, select

from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import kms_tag


def list_tags(connection: Connection, key_id: str) -> dict[str, str]:
    """Key to value, by key."""
    rows = connection.execute(
        select(kms_tag.c.key, kms_tag.c.value).where(kms_tag.c.key_id == key_id).order_by(kms_tag.c.key)
    )
    return {row.key: row.value for row in rows}


def put_tags(connection: Connection, key_id: str, tags: Mapping[str, str]) -> None:
    """Add tags; those whose keys are there are replaced."""
    if not tags:
        return
    statement = insert(connection, kms_tag)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["key_id", "key"], set_={"value": statement.excluded.value}),
        [{"key_id": key_id, "key": key, "value": value} for key, value in tags.items()],
    )


def delete_tags(connection: Connection, key_id: str, keys: Iterable[str]) -> None:
    """Remove tags; keys that are not there do not matter."""
    connection.execute(delete(kms_tag).where(kms_tag.c.key_id == key_id, kms_tag.c.key.in_(list(keys))))
