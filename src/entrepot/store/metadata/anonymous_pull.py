"""Repositories that everybody may pull from, whoever he is: one row each."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, literal, select

from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import anonymous_pull, registry, repository

_OPEN = anonymous_pull.join(repository, repository.c.id == anonymous_pull.c.repository_id).join(
    registry, registry.c.id == repository.c.registry_id
)
_FIND = (
    select(literal(1))
    .select_from(_OPEN)
    .where(
        registry.c.account_id == bindparam("account"),
        registry.c.region == bindparam("region"),
        repository.c.name == bindparam("name"),
    )
)
_LIST = (
    select(registry.c.account_id, registry.c.region, repository.c.name)
    .select_from(_OPEN)
    .order_by(registry.c.account_id, registry.c.region, repository.c.name)
)


def is_open(connection: Connection, owner: Registry, name: RepositoryName) -> bool:
    """Whether it is one of these; one that is not and none at all are the same."""
    key = {"account": owner.account_id, "region": owner.region, "name": name}
    return connection.scalar(_FIND, key) is not None


def list_open(connection: Connection) -> list[tuple[Registry, RepositoryName]]:
    """All, by account, region and name."""
    return [(Registry(row[0], row[1]), RepositoryName(row[2])) for row in connection.execute(_LIST)]


def open_repository(connection: Connection, repository_id: int, now_micros: int) -> bool:
    """Add one; False if it was one already."""
    values = {"repository_id": repository_id, "created_at": now_micros}
    added = insert(connection, anonymous_pull).values(values).on_conflict_do_nothing()
    return connection.scalar(added.returning(anonymous_pull.c.repository_id)) is not None


def close_repository(connection: Connection, repository_id: int) -> bool:
    """Remove one; False if it was none."""
    where = anonymous_pull.c.repository_id == repository_id
    return connection.execute(delete(anonymous_pull).where(where)).rowcount > 0
