"""Inline policies: documents that belong to one user, group or role."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import iam_inline_policy

_COLUMNS = iam_inline_policy.c


def list_inline_policies(connection: Connection, entity_ids: Collection[str]) -> list[tuple[str, str, str]]:
    """Owner, name and document of all inline policies of some entities, by name."""
    rows = connection.execute(
        select(_COLUMNS.entity_id, _COLUMNS.name, _COLUMNS.document)
        .where(_COLUMNS.entity_id.in_(entity_ids))
        .order_by(_COLUMNS.name)
    )
    return [(row.entity_id, row.name, row.document) for row in rows]


def list_inline_names(connection: Connection, entity_id: str, after: str, limit: int) -> list[str]:
    """A page of the names of an entity's inline policies."""
    names = (
        select(_COLUMNS.name)
        .where(_COLUMNS.entity_id == entity_id, _COLUMNS.name > after)
        .order_by(_COLUMNS.name)
        .limit(limit)
    )
    return list(connection.scalars(names))


def find_inline_policy(connection: Connection, entity_id: str, name: str) -> str | None:
    """The document of an inline policy."""
    found: str | None = connection.scalar(
        select(_COLUMNS.document).where(_COLUMNS.entity_id == entity_id, _COLUMNS.name == name)
    )
    return found


def put_inline_policy(connection: Connection, entity_id: str, name: str, document: str) -> None:
    """Add or replace an inline policy."""
    statement = insert(connection, iam_inline_policy).values(entity_id=entity_id, name=name, document=document)
    replaced = {"document": statement.excluded.document}
    connection.execute(statement.on_conflict_do_update(index_elements=["entity_id", "name"], set_=replaced))


def delete_inline_policy(connection: Connection, entity_id: str, name: str) -> bool:
    """Delete an inline policy; whether there was one."""
    statement = delete(iam_inline_policy).where(_COLUMNS.entity_id == entity_id, _COLUMNS.name == name)
    return connection.execute(statement).rowcount > 0
