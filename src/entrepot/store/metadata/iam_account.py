"""Accounts as IAM sees them: their alias, and how much of everything they have."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select

from entrepot.domain.iam import EntityKind
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import account_alias, iam_entity


def find_alias(connection: Connection, account_id: str) -> str | None:
    """The alias of an account."""
    alias: str | None = connection.scalar(select(account_alias.c.alias).where(account_alias.c.account_id == account_id))
    return alias


def insert_alias(connection: Connection, account_id: str, alias: str) -> bool:
    """Give an alias to an account that has none; False when another account has it."""
    statement = insert(connection, account_alias).values(account_id=account_id, alias=alias)
    made = connection.scalar(statement.on_conflict_do_nothing().returning(account_alias.c.alias))
    return made is not None


def delete_alias(connection: Connection, account_id: str) -> None:
    """Take an account's alias away, if it has one."""
    connection.execute(delete(account_alias).where(account_alias.c.account_id == account_id))


def count_by_kind(connection: Connection, account_id: str) -> dict[EntityKind, int]:
    """How many entities of each kind an account has."""
    kind = iam_entity.c.kind
    rows = connection.execute(select(kind, func.count()).where(iam_entity.c.account_id == account_id).group_by(kind))
    found = {EntityKind(name): int(count) for name, count in rows}
    return {kind: found.get(kind, 0) for kind in EntityKind}
