"""Service principals: credentials of services, each an access key of AWS's own account with the sources it is for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from entrepot.domain.identity import KeyUse
from entrepot.domain.service_principal import ServicePrincipal
from entrepot.store.metadata.base import from_micros
from entrepot.store.metadata.schema import access_key, service_principal

_COLUMNS = service_principal.c
_SELECT = (
    select(service_principal, access_key.c.used_at, access_key.c.used_region, access_key.c.used_service)
    .join(access_key, access_key.c.id == _COLUMNS.id)
    .order_by(_COLUMNS.name, _COLUMNS.created_at, _COLUMNS.id)
)


def list_service_principals(connection: Connection, name: str | None = None) -> list[ServicePrincipal]:
    """All credentials of services, or those of one, by name and age."""
    statement = _SELECT if name is None else _SELECT.where(_COLUMNS.name == name)
    return [_to_principal(row) for row in connection.execute(statement)]


def find_service_principal(connection: Connection, access_key_id: str) -> ServicePrincipal | None:
    """One credential."""
    row = connection.execute(_SELECT.where(_COLUMNS.id == access_key_id)).one_or_none()
    return None if row is None else _to_principal(row)


def insert_service_principal(
    connection: Connection, access_key_id: str, name: str, source_arns: Sequence[str], now_micros: int
) -> None:
    """Say of an access key that exists whose it is, and for which sources."""
    values = {"id": access_key_id, "name": name, "source_arns": json.dumps(source_arns), "created_at": now_micros}
    connection.execute(insert(service_principal).values(values))


def delete_service_principals(connection: Connection, access_key_ids: Sequence[str]) -> None:
    """Delete credentials with their access keys; tokens made with them lead nowhere then."""
    connection.execute(delete(service_principal).where(_COLUMNS.id.in_(access_key_ids)))
    connection.execute(delete(access_key).where(access_key.c.id.in_(access_key_ids)))


def _to_principal(row: Row[*tuple[Any, ...]]) -> ServicePrincipal:
    used = None
    if row.used_at is not None:
        used = KeyUse(from_micros(row.used_at), row.used_region, row.used_service)
    sources = tuple(json.loads(row.source_arns))
    return ServicePrincipal(row.id, row.name, sources, from_micros(row.created_at), used)
