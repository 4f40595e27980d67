"""Key usage: the repositories that a KMS key protects, and how much is in them."""

from __future__ import annotations

from sqlalchemy import Connection, Select, func, select

from entrepot.domain.key_usage import KeyUsage, ProtectedRepository
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.store.metadata.schema import blob, manifest, registry, repository, repository_blob

_IMAGES = select(func.count()).where(manifest.c.repository_id == repository.c.id).correlate(repository)


def read_usage(connection: Connection, key_arn: str) -> KeyUsage:
    """What a key protects; looks through all repositories."""
    found = connection.execute(
        select(
            registry.c.account_id,
            registry.c.region,
            repository.c.id,
            repository.c.name,
            repository.c.encryption_type,
            _IMAGES.scalar_subquery().label("images"),
        )
        .join(registry, registry.c.id == repository.c.registry_id)
        .where(repository.c.kms_key == key_arn)
        .order_by(registry.c.account_id, registry.c.region, repository.c.name)
    ).all()
    repositories = []
    for account_id, region, row_id, name, kind, images in found:
        blobs, size_bytes = _counted(connection, _held_by(row_id))
        place = Registry(account_id, region)
        repositories.append(ProtectedRepository(place, RepositoryName(name), kind, images, blobs, size_bytes))
    return KeyUsage(key_arn, tuple(repositories), *_once(connection, key_arn))


def read_repository_usage(connection: Connection, repository_id: int) -> tuple[int, int]:
    """How many images one repository has, and plain bytes of its blobs."""
    images = connection.scalar(select(func.count()).where(manifest.c.repository_id == repository_id)) or 0
    _, size_bytes = _counted(connection, _held_by(repository_id))
    return images, size_bytes


def _held_by(repository_id: int) -> Select[int, int]:
    return (
        select(func.count(), func.coalesce(func.sum(blob.c.size_bytes), 0))
        .join_from(repository_blob, blob, blob.c.id == repository_blob.c.blob_id)
        .where(repository_blob.c.repository_id == repository_id)
    )


def _once(connection: Connection, key_arn: str) -> tuple[int, int]:
    held = (
        select(repository_blob.c.blob_id)
        .join(repository, repository.c.id == repository_blob.c.repository_id)
        .where(repository.c.kms_key == key_arn)
    )
    totals = select(func.count(), func.coalesce(func.sum(blob.c.size_bytes), 0)).where(blob.c.id.in_(held))
    return _counted(connection, totals)


def _counted(connection: Connection, statement: Select[int, int]) -> tuple[int, int]:
    row = connection.execute(statement).one()
    return int(row[0]), int(row[1])
