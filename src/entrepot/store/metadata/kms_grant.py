"""Grants on keys: rows found by id, by token, by whom they are for, and listed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select

from entrepot.domain.kms import key_arn
from entrepot.domain.kms_grant import Constraints, KeptGrant, KmsGrant
from entrepot.domain.registry import Registry
from entrepot.store.metadata.base import from_micros, to_micros
from entrepot.store.metadata.schema import kms_grant, kms_key

_COLUMNS: Final = kms_grant.c
_GRANTS: Final = select(kms_grant, kms_key.c.account_id, kms_key.c.region).join(
    kms_key, kms_key.c.id == _COLUMNS.key_id
)


def find_grant(connection: Connection, key_id: str, grant_id: str) -> KeptGrant | None:
    """A grant on a key, by its id."""
    row = connection.execute(_GRANTS.where(_COLUMNS.id == grant_id, _COLUMNS.key_id == key_id)).one_or_none()
    return None if row is None else _to_grant(row)


def find_grant_by_token(connection: Connection, token: str) -> KeptGrant | None:
    """A grant by its token."""
    row = connection.execute(_GRANTS.where(_COLUMNS.token == token)).one_or_none()
    return None if row is None else _to_grant(row)


def find_grants_for(connection: Connection, key_id: str, names: Iterable[str]) -> list[KeptGrant]:
    """The grants on a key for a principal of any of these names."""
    rows = connection.execute(_GRANTS.where(_COLUMNS.key_id == key_id, _COLUMNS.grantee.in_(list(names))))
    return [_to_grant(row) for row in rows]


def find_grants_about(connection: Connection, key_id: str, grantee: str, value: str) -> list[KeptGrant]:
    """The grants on a key for a principal whose constraints have a value somewhere, such as a repository's ARN."""
    mentioned = _COLUMNS.constraints.contains(json.dumps(value), autoescape=True)
    rows = connection.execute(_GRANTS.where(_COLUMNS.key_id == key_id, _COLUMNS.grantee == grantee, mentioned))
    return [_to_grant(row) for row in rows]


def list_grants(
    connection: Connection, key_id: str, after: str, limit: int, *, grant_id: str | None, grantee: str | None
) -> list[KmsGrant]:
    """Grants on a key, in the order of their ids, after one."""
    statement = _GRANTS.where(_COLUMNS.key_id == key_id, _COLUMNS.id > after)
    if grant_id is not None:
        statement = statement.where(_COLUMNS.id == grant_id)
    if grantee is not None:
        statement = statement.where(_COLUMNS.grantee == grantee)
    return [_to_grant(row).grant for row in connection.execute(statement.order_by(_COLUMNS.id).limit(limit))]


def list_retirable_grants(
    connection: Connection, region: str, retiring: str, after: str, limit: int, *, account_id: str | None
) -> list[KmsGrant]:
    """Grants on keys of a region, or of one account there, that a principal may retire, by their ids after one."""
    statement = _GRANTS.where(_COLUMNS.retiring == retiring, kms_key.c.region == region, _COLUMNS.id > after)
    if account_id is not None:
        statement = statement.where(kms_key.c.account_id == account_id)
    return [_to_grant(row).grant for row in connection.execute(statement.order_by(_COLUMNS.id).limit(limit))]


def count_grants(connection: Connection, key_id: str) -> int:
    """How many grants a key has."""
    return int(connection.scalar(select(func.count()).where(_COLUMNS.key_id == key_id)) or 0)


def find_same(connection: Connection, key_id: str, name: str) -> list[KeptGrant]:
    """Grants on a key that have a name, of which several may have the same."""
    return [
        _to_grant(row) for row in connection.execute(_GRANTS.where(_COLUMNS.key_id == key_id, _COLUMNS.name == name))
    ]


def insert_grant(connection: Connection, key_id: str, grant: KmsGrant, principals: Mapping[str, str]) -> None:
    """Add a grant."""
    values: dict[str, Any] = {
        "id": grant.id,
        "key_id": key_id,
        "token": grant.token,
        "name": grant.name,
        "grantee": grant.grantee,
        "retiring": grant.retiring,
        "principals": json.dumps(dict(principals)),
        "issuing_account": grant.issuing_account,
        "operations": json.dumps(list(grant.operations)),
        "constraints": grant.constraints.to_text(),
        "created_at": to_micros(grant.created_at),
    }
    connection.execute(insert(kms_grant).values(values))


def delete_grant(connection: Connection, grant_id: str) -> None:
    """Remove a grant."""
    connection.execute(delete(kms_grant).where(_COLUMNS.id == grant_id))


def _to_grant(row: Row[Any]) -> KeptGrant:
    grant = KmsGrant(
        id=row.id,
        key_arn=key_arn(Registry(row.account_id, row.region), row.key_id),
        token=row.token,
        name=row.name,
        grantee=row.grantee,
        retiring=row.retiring,
        issuing_account=row.issuing_account,
        operations=tuple(json.loads(row.operations)),
        created_at=from_micros(row.created_at),
        constraints=Constraints.parse(row.constraints),
    )
    return KeptGrant(grant, row.key_id, row.account_id, row.region, json.loads(row.principals))
