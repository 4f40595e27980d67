"""Roles: what they have beside what every entity has, read with it in one statement."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from entrepot.domain.iam import Entity, EntityKind
from entrepot.store.metadata.base import from_optional_micros, to_micros
from entrepot.store.metadata.iam_entity import EntityQuery, is_named, page_of, to_entity
from entrepot.store.metadata.schema import iam_entity, iam_role

_OWN: Final = (
    iam_role.c.trust_policy,
    iam_role.c.trust_principals,
    iam_role.c.session_seconds_max,
    iam_role.c.used_at,
    iam_role.c.used_region,
)
_ROLES: Final = select(iam_entity, *_OWN).join(iam_role, iam_role.c.id == iam_entity.c.id)
_RECORD_USE: Final = (
    update(iam_role)
    .where(iam_role.c.id == bindparam("role_id"), func.coalesce(iam_role.c.used_at, 0) < bindparam("at"))
    .values(used_at=bindparam("at"), used_region=bindparam("region"))
)


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A role at rest."""

    entity: Entity
    trust_policy: str
    """As it was written."""
    trust_principals: Mapping[str, str]
    """Unique ids of the users and roles that the trust policy names, by ARN."""
    session_seconds_max: int
    used_at: datetime | None = None
    used_region: str | None = None


def find_role(connection: Connection, account_id: str, name: str) -> RoleRow | None:
    """A role by name, in any case."""
    row = connection.execute(_ROLES.where(is_named(account_id, EntityKind.ROLE, name))).one_or_none()
    return None if row is None else _to_role(row)


def list_roles(connection: Connection, query: EntityQuery) -> list[RoleRow]:
    """A page by lower case name."""
    return [_to_role(row) for row in connection.execute(page_of(_ROLES, query))]


def list_roles_by_id(connection: Connection, unique_ids: Collection[str]) -> list[RoleRow]:
    """Those that have one of these unique ids, in no order."""
    if not unique_ids:
        return []
    return [_to_role(row) for row in connection.execute(_ROLES.where(iam_entity.c.id.in_(unique_ids)))]


def insert_role(connection: Connection, role: RoleRow) -> None:
    """Add what the entity, which is there, has as a role."""
    connection.execute(
        insert(iam_role).values(
            id=role.entity.id,
            trust_policy=role.trust_policy,
            trust_principals=json.dumps(dict(role.trust_principals)),
            session_seconds_max=role.session_seconds_max,
        )
    )


def update_trust(connection: Connection, unique_id: str, trust_policy: str, principals: Mapping[str, str]) -> None:
    """Replace the trust policy."""
    values = {"trust_policy": trust_policy, "trust_principals": json.dumps(dict(principals))}
    connection.execute(update(iam_role).where(iam_role.c.id == unique_id).values(values))


def update_session_seconds_max(connection: Connection, unique_id: str, seconds: int) -> None:
    """Change how long sessions of the role may last."""
    connection.execute(update(iam_role).where(iam_role.c.id == unique_id).values(session_seconds_max=seconds))


def delete_role(connection: Connection, unique_id: str) -> None:
    """Delete what the entity has as a role; the entity stays."""
    connection.execute(delete(iam_role).where(iam_role.c.id == unique_id))


def record_role_uses(connection: Connection, uses: Iterable[tuple[str, datetime, str]]) -> None:
    """Write last uses of roles (unique id, when, in which region) where they are later. Voids nothing."""
    last: dict[str, tuple[datetime, str]] = {}
    for role_id, at, region in uses:
        last[role_id] = max((at, region), last.get(role_id, (at, region)))
    # By id: two workers that write at once wait for each other and not both.
    values = [
        {"role_id": role_id, "at": to_micros(at), "region": region} for role_id, (at, region) in sorted(last.items())
    ]
    if values:
        connection.execute(_RECORD_USE, values)


def _to_role(row: Row[*tuple[Any, ...]]) -> RoleRow:
    return RoleRow(
        to_entity(row),
        row.trust_policy,
        json.loads(row.trust_principals),
        row.session_seconds_max,
        from_optional_micros(row.used_at),
        row.used_region,
    )
