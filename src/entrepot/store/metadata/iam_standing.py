"""Whose policies count for a user or role: he himself and, of a user, his groups."""

from __future__ import annotations

from sqlalchemy import Connection, select

from entrepot.domain.iam import Entity
from entrepot.store.metadata.iam_entity import to_entity
from entrepot.store.metadata.schema import iam_entity, iam_member


def list_holders(connection: Connection, unique_id: str) -> list[Entity]:
    """The user or role, then the groups that he is in, by name; empty if there is none of that id."""
    groups = select(iam_member.c.group_id).where(iam_member.c.user_id == unique_id)
    rows = connection.execute(
        select(iam_entity)
        .where((iam_entity.c.id == unique_id) | iam_entity.c.id.in_(groups))
        .order_by(iam_entity.c.id != unique_id, iam_entity.c.name_lower)
    )
    return [to_entity(row) for row in rows]
