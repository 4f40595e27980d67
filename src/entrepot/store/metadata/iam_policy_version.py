"""Versions of managed policies."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from entrepot.domain.iam import EntityKind
from entrepot.domain.managed_policy import PolicyVersion
from entrepot.store.metadata.base import from_micros
from entrepot.store.metadata.schema import iam_entity, iam_policy, iam_policy_version

_COLUMNS: Final = iam_policy_version.c
_VERSIONS: Final = select(iam_policy_version, iam_policy.c.default_version).join(
    iam_policy, iam_policy.c.id == _COLUMNS.policy_id
)


def list_versions(connection: Connection, policy_id: str) -> list[PolicyVersion]:
    """All versions of a policy, newest first."""
    rows = connection.execute(_VERSIONS.where(_COLUMNS.policy_id == policy_id).order_by(_COLUMNS.number.desc()))
    return [
        PolicyVersion(row.number, row.document, from_micros(row.created_at), row.number == row.default_version)
        for row in rows
    ]


def count_versions_of_account(connection: Connection, account_id: str) -> int:
    """How many versions all policies of an account have."""
    counted = (
        select(func.count())
        .select_from(iam_policy_version)
        .join(iam_entity, iam_entity.c.id == _COLUMNS.policy_id)
        .where(iam_entity.c.account_id == account_id, iam_entity.c.kind == EntityKind.POLICY.value)
    )
    return int(connection.scalar(counted) or 0)


def insert_version(connection: Connection, policy_id: str, version: PolicyVersion, now_micros: int) -> None:
    """Add a version."""
    values = {
        "policy_id": policy_id,
        "number": version.number,
        "document": version.document,
        "created_at": now_micros,
    }
    connection.execute(insert(iam_policy_version).values(values))


def delete_version(connection: Connection, policy_id: str, number: int) -> None:
    """Delete one version."""
    connection.execute(delete(iam_policy_version).where(_COLUMNS.policy_id == policy_id, _COLUMNS.number == number))
