"""Entities of IAM: users, groups, roles and policies, found by name, listed by path, made, renamed and deleted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, select, update

from entrepot.domain.iam import Entity, EntityKind
from entrepot.store.metadata.base import from_micros, insert, to_micros
from entrepot.store.metadata.schema import iam_entity

_COLUMNS = iam_entity.c


@dataclass(frozen=True, slots=True)
class EntityQuery:
    """Which entities of an account a list has."""

    account_id: str
    kind: EntityKind
    path_prefix: str = "/"
    after: str = ""
    """Lower case name of the last entity of the page before."""
    limit: int = 100


def is_named(account_id: str, kind: EntityKind, name: str) -> ColumnElement[bool]:
    """Whether a row of the table is the one entity of that kind and name, in any case."""
    return and_(_COLUMNS.account_id == account_id, _COLUMNS.kind == kind.value, _COLUMNS.name_lower == name.lower())


def find_entity(connection: Connection, account_id: str, kind: EntityKind, name: str) -> Entity | None:
    """An entity by name, in any case."""
    row = connection.execute(select(iam_entity).where(is_named(account_id, kind, name))).one_or_none()
    return None if row is None else to_entity(row)


def find_entity_by_id(connection: Connection, unique_id: str) -> Entity | None:
    """An entity by unique id."""
    row = connection.execute(select(iam_entity).where(_COLUMNS.id == unique_id)).one_or_none()
    return None if row is None else to_entity(row)


def find_entities(connection: Connection, unique_ids: Collection[str]) -> list[Entity]:
    """Those of all accounts and kinds that have one of these unique ids."""
    return [to_entity(row) for row in connection.execute(select(iam_entity).where(_COLUMNS.id.in_(unique_ids)))]


def find_identities(connection: Connection, account_ids: Collection[str], names: Collection[str]) -> list[Entity]:
    """Users and roles of these accounts that have one of these names, in any case."""
    statement = select(iam_entity).where(
        _COLUMNS.account_id.in_(account_ids),
        _COLUMNS.kind.in_([EntityKind.USER.value, EntityKind.ROLE.value]),
        _COLUMNS.name_lower.in_({name.lower() for name in names}),
    )
    return [to_entity(row) for row in connection.execute(statement)]


def list_entities(connection: Connection, query: EntityQuery) -> list[Entity]:
    """A page by lower case name."""
    return [to_entity(row) for row in connection.execute(page_of(select(iam_entity), query))]


def page_of(statement: Select[*tuple[Any, ...]], query: EntityQuery) -> Select[*tuple[Any, ...]]:
    """A statement over all entities, narrowed to a page by lower case name."""
    narrowed = statement.where(
        _COLUMNS.account_id == query.account_id, _COLUMNS.kind == query.kind.value, _COLUMNS.name_lower > query.after
    )
    if query.path_prefix != "/":
        narrowed = narrowed.where(func.substr(_COLUMNS.path, 1, len(query.path_prefix)) == query.path_prefix)
    return narrowed.order_by(_COLUMNS.name_lower).limit(query.limit)


def count_entities(connection: Connection, account_id: str, kind: EntityKind) -> int:
    """How many of a kind an account has."""
    counted = select(func.count()).where(_COLUMNS.account_id == account_id, _COLUMNS.kind == kind.value)
    return int(connection.scalar(counted) or 0)


def insert_entity(connection: Connection, entity: Entity) -> bool:
    """Add an entity; False when the name is taken."""
    statement = insert(connection, iam_entity).values(
        id=entity.id,
        account_id=entity.account_id,
        kind=entity.kind.value,
        path=entity.path,
        name=entity.name,
        name_lower=entity.name.lower(),
        description=entity.description,
        boundary=entity.boundary,
        created_at=to_micros(entity.created_at),
    )
    return connection.scalar(statement.on_conflict_do_nothing().returning(_COLUMNS.id)) is not None


def update_entity(connection: Connection, unique_id: str, **values: Any) -> None:
    """Change columns of an entity; with `name`, `name_lower` follows."""
    if "name" in values:
        values["name_lower"] = values["name"].lower()
    connection.execute(update(iam_entity).where(_COLUMNS.id == unique_id).values(**values))


def delete_entity(connection: Connection, unique_id: str) -> None:
    """Delete an entity on which nothing hangs any more."""
    connection.execute(delete(iam_entity).where(_COLUMNS.id == unique_id))


def to_entity(row: Row[*tuple[Any, ...]]) -> Entity:
    """An entity from all columns of its row."""
    return Entity(
        row.id,
        row.account_id,
        EntityKind(row.kind),
        row.path,
        row.name,
        from_micros(row.created_at),
        row.description,
        row.boundary,
    )
