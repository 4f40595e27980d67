"""Policies on resources: a repository or a registry has one row, or none."""

from __future__ import annotations

import json

from sqlalchemy import Column, Connection, Row, Table, delete, select

from entrepot.domain.policy.saved import SavedPolicy
from entrepot.store.metadata.base import insert


def find_policy(connection: Connection, table: Table, owner_id: int) -> SavedPolicy | None:
    """The policy of a repository (`repository_policy`) or registry (`registry_policy`), by the owner's row id."""
    return _to_policy(connection.execute(select(*_columns(table)).where(_owner(table) == owner_id)).one_or_none())


def put_policy(connection: Connection, table: Table, owner_id: int, policy: SavedPolicy) -> None:
    """Set the policy, in the place of another if there is one."""
    owner = _owner(table).name
    values = {"document": policy.document, "principals": json.dumps(dict(policy.principals))}
    statement = insert(connection, table).values({owner: owner_id, **values})
    connection.execute(statement.on_conflict_do_update(index_elements=[owner], set_=values))


def delete_policy(connection: Connection, table: Table, owner_id: int) -> SavedPolicy | None:
    """Remove the policy, and return it to one of those who remove it at once."""
    removal = delete(table).where(_owner(table) == owner_id).returning(*_columns(table))
    return _to_policy(connection.execute(removal).one_or_none())


def _owner(table: Table) -> Column[int]:
    (owner,) = table.primary_key.columns
    return owner


def _columns(table: Table) -> tuple[Column[str], Column[str]]:
    return table.c.document, table.c.principals


def _to_policy(row: Row[str, str] | None) -> SavedPolicy | None:
    return None if row is None else SavedPolicy(row.document, json.loads(row.principals))
