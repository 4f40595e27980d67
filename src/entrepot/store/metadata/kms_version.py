"""Versions of a key's material: the newest encrypts, all of them decrypt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select

from entrepot.domain.kms import KeyVersion, VersionOrigin
from entrepot.store.metadata.base import from_micros, to_micros
from entrepot.store.metadata.schema import kms_key_version

_COLUMNS: Final = kms_key_version.c
_FIND: Final = select(_COLUMNS.sealed, _COLUMNS.material_id).where(
    _COLUMNS.key_id == bindparam("of_key"), _COLUMNS.number == bindparam("version")
)


def find_sealed(connection: Connection, key_id: str, number: int) -> tuple[bytes, str] | None:
    """The sealed material of a version and its id, if there is one; one search by key."""
    found = connection.execute(_FIND, {"of_key": key_id, "version": number}).one_or_none()
    return None if found is None else (found.sealed, found.material_id)


def insert_version(connection: Connection, key_id: str, version: KeyVersion, sealed: bytes) -> None:
    """Add a version."""
    values: dict[str, Any] = {
        "key_id": key_id,
        "number": version.number,
        "sealed": sealed,
        "material_id": version.material_id,
        "origin": version.origin.value,
        "created_at": to_micros(version.created_at),
    }
    connection.execute(insert(kms_key_version).values(values))


def list_versions(connection: Connection, key_id: str) -> Sequence[KeyVersion]:
    """All versions of a key, oldest first."""
    rows = connection.execute(select(kms_key_version).where(_COLUMNS.key_id == key_id).order_by(_COLUMNS.number))
    return [
        KeyVersion(row.number, row.material_id, VersionOrigin(row.origin), from_micros(row.created_at)) for row in rows
    ]


def count_versions(connection: Connection, key_id: str, origin: VersionOrigin) -> int:
    """How many versions of a key came about like that."""
    counted = select(func.count()).where(_COLUMNS.key_id == key_id, _COLUMNS.origin == origin.value)
    return int(connection.scalar(counted) or 0)
