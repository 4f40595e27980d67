"""Link keys: the data key of a blob as each repository that holds it has wrapped it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, exists, select

from entrepot.domain.registry import Registry
from entrepot.domain.sealed_key import SealedKey
from entrepot.store.metadata.schema import blob, registry, repository, repository_blob
from entrepot.store.metadata.sealed_key import SEAL_COLUMNS, to_seal

HOLDERS_MAX = 100
"""Repositories that are asked for the data key of a blob."""


@dataclass(frozen=True, slots=True)
class LinkKey:
    """The data key of a blob in one repository."""

    wrapped: bytes = field(repr=False)
    seal: SealedKey


def find_link_key(connection: Connection, repository_id: int, blob_id: int) -> bytes | None:
    """The data key of a blob as a repository has it, if it holds the blob."""
    return connection.scalar(
        select(repository_blob.c.wrapped_key).where(
            repository_blob.c.repository_id == repository_id, repository_blob.c.blob_id == blob_id
        )
    )


def list_link_keys(connection: Connection, blob_id: int, repository_id: int | None = None) -> list[LinkKey]:
    """The same of every repository that holds the blob, or of one."""
    statement = (
        select(
            repository_blob.c.wrapped_key,
            repository.c.id,
            repository.c.name,
            registry.c.account_id,
            registry.c.region,
            *SEAL_COLUMNS,
        )
        .join(repository, repository.c.id == repository_blob.c.repository_id)
        .join(registry, registry.c.id == repository.c.registry_id)
        .where(repository_blob.c.blob_id == blob_id, repository_blob.c.wrapped_key.is_not(None))
        .order_by(repository_blob.c.repository_id)
        .limit(HOLDERS_MAX)
    )
    if repository_id is not None:
        statement = statement.where(repository_blob.c.repository_id == repository_id)
    return list(_to_keys(connection.execute(statement)))


def find_storage_key(connection: Connection, blob_id: int) -> str:
    """The storage key of a blob that the caller holds."""
    found: str = connection.execute(select(blob.c.storage_key).where(blob.c.id == blob_id)).scalar_one()
    return found


def lock_blob(connection: Connection, blob_id: int) -> None:
    """Keep everybody else from linking a blob until the transaction ends (FOR UPDATE)."""
    connection.execute(select(blob.c.id).where(blob.c.id == blob_id).with_for_update()).all()


def delete_unheld_blob(connection: Connection, blob_id: int) -> tuple[str, str] | None:
    """Remove a blob that no repository holds, so that nobody has its key any more; its storage key and store."""
    statement = delete(blob).where(blob.c.id == blob_id, ~exists().where(repository_blob.c.blob_id == blob_id))
    row = connection.execute(statement.returning(blob.c.storage_key, blob.c.store)).one_or_none()
    return None if row is None else (row.storage_key, row.store)


def _to_keys(rows: object) -> Iterator[LinkKey]:
    for wrapped, repository_id, name, account_id, region, *columns in rows:  # type: ignore[attr-defined]
        seal = to_seal(columns, repository_id, Registry(account_id, region).repository_arn(name))
        if seal is not None:
            yield LinkKey(wrapped, seal)
