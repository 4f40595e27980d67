"""OpenID Connect providers: what they have beside what every entity has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from entrepot.domain.iam import Entity, EntityKind
from entrepot.store.metadata.iam_entity import to_entity
from entrepot.store.metadata.schema import iam_entity, iam_provider

_PROVIDERS = select(
    iam_entity, iam_provider.c.client_ids, iam_provider.c.thumbprints, iam_provider.c.ca, iam_provider.c.jwks
).join(iam_provider, iam_provider.c.id == iam_entity.c.id)


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider at rest."""

    entity: Entity
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    ca: str | None = None
    jwks: str | None = None


def find_provider(connection: Connection, account_id: str, issuer: str) -> ProviderRow | None:
    """The provider of an issuer, by host and path."""
    row = connection.execute(
        _PROVIDERS.where(
            iam_entity.c.account_id == account_id,
            iam_entity.c.kind == EntityKind.PROVIDER.value,
            iam_entity.c.name == issuer,
        )
    ).one_or_none()
    if row is None:
        return None
    client_ids, thumbprints = (tuple(json.loads(text)) for text in (row.client_ids, row.thumbprints))
    return ProviderRow(to_entity(row), client_ids, thumbprints, row.ca, row.jwks)


def insert_provider(connection: Connection, row: ProviderRow) -> None:
    """Add what the entity, which is there, has as a provider."""
    values = {"client_ids": json.dumps(row.client_ids), "thumbprints": json.dumps(row.thumbprints)}
    connection.execute(insert(iam_provider).values(id=row.entity.id, ca=row.ca, jwks=row.jwks, **values))


def update_provider(connection: Connection, unique_id: str, **values: str | Sequence[str] | None) -> None:
    """Change columns of a provider; lists are given as such."""
    packed: dict[str, Any] = {
        name: value if isinstance(value, str | None) else json.dumps(list(value)) for name, value in values.items()
    }
    connection.execute(update(iam_provider).where(iam_provider.c.id == unique_id).values(**packed))


def delete_provider(connection: Connection, unique_id: str) -> None:
    """Delete what the entity, which stays, has as a provider."""
    connection.execute(delete(iam_provider).where(iam_provider.c.id == unique_id))
