"""Repositories: made once per name, listed by name, changed under a row lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, literal, select, update

from entrepot.domain.registry import Registry
from entrepot.domain.repository import Repository, RepositoryName, RepositorySettings
from entrepot.domain.tag_mutability import TagMutability
from entrepot.store.metadata.base import from_micros, insert
from entrepot.store.metadata.schema import manifest, registry, repository
from entrepot.store.metadata.sealed_key import SEAL_COLUMNS, to_seal
from entrepot.store.metadata.view import to_tag_mutability

_COLUMNS = (
    repository.c.id,
    repository.c.name,
    repository.c.tag_mutability,
    repository.c.exclusion_filters,
    repository.c.scan_on_push,
    repository.c.created_at,
    *SEAL_COLUMNS,
)
_OF_OWNER = (
    select(*_COLUMNS, repository.c.registry_id)
    .join(registry, registry.c.id == repository.c.registry_id)
    .where(registry.c.account_id == bindparam("account"), registry.c.region == bindparam("region"))
)
_FIND = _OF_OWNER.where(repository.c.name == bindparam("name"))
_NAMED = _OF_OWNER.where(repository.c.name.in_(bindparam("names", expanding=True))).order_by(repository.c.name)
_FIRST_PAGE = _OF_OWNER.order_by(repository.c.name).limit(bindparam("size"))
_NEXT_PAGE = (
    _OF_OWNER.where(repository.c.name > bindparam("after")).order_by(repository.c.name).limit(bindparam("size"))
)


@dataclass(frozen=True, slots=True)
class RepositoryPlace:
    """Where a new repository goes: its registry with row id, its encryption domain, and its key if it has one."""

    owner: Registry
    registry_id: int
    domain_id: int
    kms_account: str | None = None
    sealed_key: bytes | None = None
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class HeldRepository:
    """A repository that is locked until the transaction ends, and the row id of its registry."""

    repository: Repository
    registry_id: int


def insert_repository(
    connection: Connection, place: RepositoryPlace, name: RepositoryName, settings: RepositorySettings, now_micros: int
) -> Repository | None:
    """Add a repository; None when the name is taken. The unique index decides between two at once."""
    statement = insert(connection, repository).values(
        registry_id=place.registry_id,
        domain_id=place.domain_id,
        name=name,
        scan_on_push=settings.scan_on_push,
        encryption_type=settings.encryption_type,
        kms_key=settings.kms_key,
        kms_account=place.kms_account,
        kms_sealed_key=place.sealed_key,
        kms_grant=place.grant_id,
        created_at=now_micros,
        **_mutability_values(settings.tag_mutability),
    )
    row_id = connection.scalar(statement.on_conflict_do_nothing().returning(repository.c.id))
    return None if row_id is None else Repository(row_id, place.owner, name, from_micros(now_micros), settings)


def find_repository(connection: Connection, owner: Registry, name: RepositoryName) -> Repository | None:
    """The repository `name` of `owner`."""
    row = connection.execute(_FIND, {**_of(owner), "name": name}).one_or_none()
    return None if row is None else _to_repository(row, owner)


def list_repositories(
    connection: Connection, owner: Registry, after: RepositoryName | None, size: int
) -> list[Repository]:
    """At most `size` repositories in bytewise order of their names, beginning after `after`."""
    key: dict[str, Any] = {**_of(owner), "size": size}
    rows = (
        connection.execute(_FIRST_PAGE, key)
        if after is None
        else connection.execute(_NEXT_PAGE, key | {"after": after})
    )
    return [_to_repository(row, owner) for row in rows]


def list_named_repositories(
    connection: Connection, owner: Registry, names: Sequence[RepositoryName]
) -> list[Repository]:
    """Those of `names` that exist, in bytewise order of their names."""
    rows = connection.execute(_NAMED, {**_of(owner), "names": list(names)})
    return [_to_repository(row, owner) for row in rows]


def hold_repository(
    connection: Connection, owner: Registry, name: RepositoryName, *, is_for_deletion: bool = False
) -> HeldRepository | None:
    """Find a repository and keep others from changing it (FOR NO KEY UPDATE) or from using it (FOR UPDATE)."""
    statement = _FIND.with_for_update(key_share=not is_for_deletion, of=repository)
    row = connection.execute(statement, {**_of(owner), "name": name}).one_or_none()
    return None if row is None else HeldRepository(_to_repository(row, owner), row.registry_id)


def has_repositories_beyond(connection: Connection, registry_id: int, limit: int) -> bool:
    """Whether the registry has more than `limit` repositories; reads `limit` index entries."""
    beyond = select(literal(1)).where(repository.c.registry_id == registry_id).offset(limit).limit(1)
    return connection.scalar(beyond) is not None


def has_images(connection: Connection, repository_id: int) -> bool:
    """Whether the repository holds any manifest."""
    return bool(connection.scalar(select(exists().where(manifest.c.repository_id == repository_id))))


def set_tag_mutability(connection: Connection, repository_id: int, setting: TagMutability) -> None:
    """Replace the rule for image tags; tags that exist are not touched."""
    change = update(repository).where(repository.c.id == repository_id)
    connection.execute(change.values(_mutability_values(setting)))


def set_scan_on_push(connection: Connection, repository_id: int, scan_on_push: bool) -> None:
    """Replace the scanning setting."""
    connection.execute(update(repository).where(repository.c.id == repository_id).values(scan_on_push=scan_on_push))


def _of(owner: Registry) -> dict[str, str]:
    return {"account": owner.account_id, "region": owner.region}


def _mutability_values(setting: TagMutability) -> dict[str, str]:
    """The two columns; `exclusion_filters` is a JSON list such as `["latest", "dev-*"]`."""
    return {"tag_mutability": setting.mode.value, "exclusion_filters": json.dumps(setting.filters)}


def _to_repository(row: Row[*tuple[Any, ...]], owner: Registry) -> Repository:
    mutability = to_tag_mutability(row.tag_mutability, row.exclusion_filters)
    settings = RepositorySettings(mutability, row.scan_on_push, row.encryption_type, row.kms_key)
    columns = [row.encryption_type, row.kms_key, row.kms_account, row.kms_sealed_key, row.kms_grant, row.kms_epoch]
    seal = to_seal(columns, row.id, owner.repository_arn(row.name))
    return Repository(row.id, owner, RepositoryName(row.name), from_micros(row.created_at), settings, seal)
