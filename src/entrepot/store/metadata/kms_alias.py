"""Aliases of KMS: names of keys within an account and region."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, update

from entrepot.domain.kms import KmsAlias
from entrepot.domain.registry import Registry
from entrepot.store.metadata.base import from_micros, insert
from entrepot.store.metadata.schema import kms_alias

_COLUMNS: Final = kms_alias.c


def find_alias(connection: Connection, place: Registry, name: str) -> KmsAlias | None:
    """An alias by name."""
    row = connection.execute(select(kms_alias).where(*_is_named(place, name))).one_or_none()
    return None if row is None else _to_alias(row)


def list_aliases(
    connection: Connection, place: Registry, after: str, limit: int, key_id: str | None = None
) -> list[KmsAlias]:
    """Aliases of an account in a region by name, after one; of one key only, if one is named."""
    statement = select(kms_alias).where(
        _COLUMNS.account_id == place.account_id, _COLUMNS.region == place.region, _COLUMNS.name > after
    )
    if key_id is not None:
        statement = statement.where(_COLUMNS.key_id == key_id)
    return [_to_alias(row) for row in connection.execute(statement.order_by(_COLUMNS.name).limit(limit))]


def list_names_of_key(connection: Connection, key_id: str) -> list[str]:
    """The aliases of a key, by name."""
    return list(connection.scalars(select(_COLUMNS.name).where(_COLUMNS.key_id == key_id).order_by(_COLUMNS.name)))


def count_aliases(connection: Connection, key_id: str) -> int:
    """How many aliases a key has."""
    return int(connection.scalar(select(func.count()).where(_COLUMNS.key_id == key_id)) or 0)


def insert_alias(connection: Connection, place: Registry, name: str, key_id: str, now_micros: int) -> bool:
    """Add an alias; False when the name is taken."""
    statement = insert(connection, kms_alias).values(
        account_id=place.account_id,
        region=place.region,
        name=name,
        key_id=key_id,
        created_at=now_micros,
        updated_at=now_micros,
    )
    return connection.scalar(statement.on_conflict_do_nothing().returning(_COLUMNS.name)) is not None


def move_alias(connection: Connection, place: Registry, name: str, key_id: str, now_micros: int) -> None:
    """Have an alias, which is there, name another key."""
    values = {"key_id": key_id, "updated_at": now_micros}
    connection.execute(update(kms_alias).where(*_is_named(place, name)).values(values))


def delete_alias(connection: Connection, place: Registry, name: str) -> None:
    """Remove an alias; its key stays."""
    connection.execute(delete(kms_alias).where(*_is_named(place, name)))


def _is_named(place: Registry, name: str) -> tuple[Any, ...]:
    return _COLUMNS.account_id == place.account_id, _COLUMNS.region == place.region, _COLUMNS.name == name


def _to_alias(row: Row[*tuple[Any, ...]]) -> KmsAlias:
    return KmsAlias(
        Registry(row.account_id, row.region),
        row.name,
        row.key_id,
        from_micros(row.created_at),
        from_micros(row.updated_at),
    )
