"""Access keys that do not expire: listed for their owner, switched on and off, deleted; and when any was last used.

`identity.py` finds keys for requests and makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from entrepot.domain.identity import KeyState, KeyUse
from entrepot.store.metadata.base import from_micros, from_optional_micros, to_micros
from entrepot.store.metadata.iam_role import record_role_uses
from entrepot.store.metadata.schema import access_key, iam_role

_COLUMNS = access_key.c
_RECORD_USE = (
    update(access_key)
    .where(_COLUMNS.id == bindparam("key_id"), func.coalesce(_COLUMNS.used_at, 0) < bindparam("at"))
    .values(used_at=bindparam("at"), used_region=bindparam("region"), used_service=bindparam("service"))
)


def list_keys(connection: Connection, unique_id: str) -> list[KeyState]:
    """The keys of a user or root, oldest first."""
    rows = connection.execute(
        select(_COLUMNS.id, _COLUMNS.is_active, _COLUMNS.created_at)
        .where(_COLUMNS.unique_id == unique_id, _COLUMNS.expires_at.is_(None))
        .order_by(_COLUMNS.created_at, _COLUMNS.id)
    )
    return [KeyState(row.id, bool(row.is_active), from_micros(row.created_at)) for row in rows]


def set_active(connection: Connection, unique_id: str, key_id: str, is_active: bool) -> bool:
    """Switch a key of a user or root on or off; whether he has it."""
    changed = connection.execute(update(access_key).where(*_is(unique_id, key_id)).values(is_active=is_active))
    return changed.rowcount == 1


def delete_key(connection: Connection, unique_id: str, key_id: str) -> bool:
    """Delete a key of a user or root; whether he had it."""
    return connection.execute(delete(access_key).where(*_is(unique_id, key_id))).rowcount == 1


def find_owner(connection: Connection, account_id: str, key_id: str) -> tuple[str, KeyUse | None] | None:
    """The unique id of whose key of an account it is, and its last use; None if there is no such key."""
    row = connection.execute(
        select(_COLUMNS.unique_id, _COLUMNS.used_at, _COLUMNS.used_region, _COLUMNS.used_service).where(
            _COLUMNS.account_id == account_id, _COLUMNS.id == key_id, _COLUMNS.expires_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        return None
    used_at = from_optional_micros(row.used_at)
    return row.unique_id, None if used_at is None else KeyUse(used_at, row.used_region, row.used_service)


def record_uses(connection: Connection, uses: Iterable[tuple[str, KeyUse]]) -> None:
    """Write last uses of keys by id, and of the roles behind sessions, where they are later. Voids nothing."""
    noted = dict(uses)
    connection.execute(_RECORD_USE, [{"key_id": key_id, **_columns(use)} for key_id, use in noted.items()])
    record_role_uses(connection, _uses_of_roles(connection, noted))


def _uses_of_roles(connection: Connection, uses: Mapping[str, KeyUse]) -> list[tuple[str, datetime, str]]:
    """The roles behind the keys of sessions, with when and where each key was used."""
    rows = connection.execute(
        select(_COLUMNS.id, iam_role.c.id.label("role_id"))
        .join(iam_role, iam_role.c.id == _COLUMNS.unique_id)
        .where(_COLUMNS.id.in_(uses))
    )
    return [(row.role_id, uses[row.id].at, uses[row.id].region) for row in rows]


def _columns(use: KeyUse) -> dict[str, int | str]:
    return {"at": to_micros(use.at), "region": use.region, "service": use.service}


def _is(unique_id: str, key_id: str) -> tuple[ColumnElement[bool], ...]:
    return _COLUMNS.id == key_id, _COLUMNS.unique_id == unique_id, _COLUMNS.expires_at.is_(None)
