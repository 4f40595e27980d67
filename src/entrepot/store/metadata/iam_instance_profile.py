"""Instance profiles: the one role that each can have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from entrepot.domain.iam import Entity, EntityKind
from entrepot.store.metadata.iam_entity import EntityQuery, is_named, page_of, to_entity
from entrepot.store.metadata.schema import iam_entity, iam_instance_profile

_COLUMNS: Final = iam_instance_profile.c
_PROFILES: Final = select(iam_entity, _COLUMNS.role_id).join(iam_instance_profile, _COLUMNS.id == iam_entity.c.id)


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """An instance profile at rest."""

    entity: Entity
    role_id: str | None


def find_profile(connection: Connection, account_id: str, name: str) -> ProfileRow | None:
    """An instance profile by name, in any case."""
    row = connection.execute(_PROFILES.where(is_named(account_id, EntityKind.INSTANCE_PROFILE, name))).one_or_none()
    return None if row is None else _to_profile(row)


def list_profiles(connection: Connection, query: EntityQuery) -> list[ProfileRow]:
    """A page by lower case name."""
    return [_to_profile(row) for row in connection.execute(page_of(_PROFILES, query))]


def list_profiles_of_roles(connection: Connection, role_ids: Collection[str]) -> Sequence[ProfileRow]:
    """All that have one of some roles, by lower case name."""
    statement = _PROFILES.where(_COLUMNS.role_id.in_(role_ids)).order_by(iam_entity.c.name_lower)
    return [_to_profile(row) for row in connection.execute(statement)]


def insert_profile(connection: Connection, profile_id: str) -> None:
    """Make an entity, which is there, an instance profile without a role."""
    connection.execute(insert(iam_instance_profile).values(id=profile_id))


def set_role(connection: Connection, profile_id: str, role_id: str | None) -> None:
    """Give an instance profile a role, or none."""
    connection.execute(update(iam_instance_profile).where(_COLUMNS.id == profile_id).values(role_id=role_id))


def delete_profile(connection: Connection, profile_id: str) -> None:
    """Delete what the entity has as an instance profile; the entity stays."""
    connection.execute(delete(iam_instance_profile).where(_COLUMNS.id == profile_id))


def _to_profile(row: Row[*tuple[Any, ...]]) -> ProfileRow:
    return ProfileRow(to_entity(row), row.role_id)
