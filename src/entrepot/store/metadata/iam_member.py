"""Membership: which users are in which groups."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, select

from entrepot.domain.iam import Entity
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.iam_entity import to_entity
from entrepot.store.metadata.schema import iam_entity, iam_member

_COLUMNS = iam_member.c


def list_members(connection: Connection, group_id: str, after: str, limit: int) -> list[Entity]:
    """Users of a group by name in lower case, beginning after one."""
    rows = connection.execute(
        select(iam_entity)
        .join(iam_member, iam_member.c.user_id == iam_entity.c.id)
        .where(_COLUMNS.group_id == group_id, iam_entity.c.name_lower > after)
        .order_by(iam_entity.c.name_lower)
        .limit(limit)
    )
    return [to_entity(row) for row in rows]


def list_groups_of(connection: Connection, user_id: str) -> list[Entity]:
    """The groups of a user by name in lower case."""
    rows = connection.execute(
        select(iam_entity)
        .join(iam_member, iam_member.c.group_id == iam_entity.c.id)
        .where(_COLUMNS.user_id == user_id)
        .order_by(iam_entity.c.name_lower)
    )
    return [to_entity(row) for row in rows]


def has_members(connection: Connection, group_id: str) -> bool:
    """Whether any user is in a group."""
    return connection.scalar(select(_COLUMNS.user_id).where(_COLUMNS.group_id == group_id).limit(1)) is not None


def count_groups_of(connection: Connection, user_id: str) -> int:
    """How many groups a user is in."""
    return int(connection.scalar(select(func.count()).where(_COLUMNS.user_id == user_id)) or 0)


def is_member(connection: Connection, group_id: str, user_id: str) -> bool:
    """Whether a user is in a group."""
    wanted = select(_COLUMNS.user_id).where(_COLUMNS.group_id == group_id, _COLUMNS.user_id == user_id)
    return connection.scalar(wanted) is not None


def insert_member(connection: Connection, group_id: str, user_id: str) -> None:
    """Put a user into a group; one who is in it already does not matter."""
    statement = insert(connection, iam_member).values(group_id=group_id, user_id=user_id)
    connection.execute(statement.on_conflict_do_nothing())


def delete_member(connection: Connection, group_id: str, user_id: str) -> None:
    """Take a user out of a group; one who is not in it does not matter."""
    connection.execute(delete(iam_member).where(_COLUMNS.group_id == group_id, _COLUMNS.user_id == user_id))


def list_group_names(connection: Connection, user_ids: Collection[str]) -> list[tuple[str, str]]:
    """User id and group name of each membership of some users, by name in lower case."""
    rows = connection.execute(
        select(_COLUMNS.user_id, iam_entity.c.name)
        .join(iam_member, iam_member.c.group_id == iam_entity.c.id)
        .where(_COLUMNS.user_id.in_(user_ids))
        .order_by(iam_entity.c.name_lower)
    )
    return [(row.user_id, row.name) for row in rows]
