"""Access keys that do not expire: listed for their owner, switched on and off, deleted, and when they were last used.

`identity.py` finds keys for requests and makes them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from entrepot.domain.identity import KeyState, KeyUse
from entrepot.store.metadata.base import from_micros, from_optional_micros, to_micros
from entrepot.store.metadata.schema import access_key

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
    """Write last uses of keys by id, where the row's own is older or missing. Voids nothing."""
    connection.execute(
        _RECORD_USE,
        [
            {"key_id": key_id, "at": to_micros(use.at), "region": use.region, "service": use.service}
            for key_id, use in uses
        ],
    )


def _is(unique_id: str, key_id: str) -> tuple[ColumnElement[bool], ...]:
    return _COLUMNS.id == key_id, _COLUMNS.unique_id == unique_id, _COLUMNS.expires_at.is_(None)
