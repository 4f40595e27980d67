"""Referrers: the manifests of a repository whose subject is a digest, by row id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from entrepot.domain.digest import Digest
from entrepot.domain.image import ImageStatus
from entrepot.domain.page import PageRequest
from entrepot.store.metadata.image import to_digest
from entrepot.store.metadata.schema import manifest


@dataclass(frozen=True, slots=True)
class ReferrerRow:
    """A referrer without what stands only in its bytes."""

    id: int
    digest: Digest
    media_type: str
    artifact_type: str | None
    size_bytes: int
    status: ImageStatus


def list_referrers(
    connection: Connection,
    repository_id: int,
    subject: Digest,
    artifact_types: Sequence[str],
    status: ImageStatus | None,
    page: PageRequest,
) -> list[ReferrerRow]:
    """Referrers of `subject`; no artifact types take all, status None takes every storage class."""
    statement = (
        select(
            manifest.c.id,
            manifest.c.digest,
            manifest.c.media_type,
            manifest.c.artifact_type,
            manifest.c.size_bytes,
            manifest.c.status,
        )
        .where(manifest.c.repository_id == repository_id, manifest.c.subject_digest == str(subject))
        .order_by(manifest.c.id)
        .limit(page.size)
    )
    if artifact_types:
        statement = statement.where(manifest.c.artifact_type.in_(list(artifact_types)))
    if status is not None:
        statement = statement.where(manifest.c.status == status.value)
    if page.after is not None:
        statement = statement.where(manifest.c.id > page.after[0])
    return [
        ReferrerRow(row[0], to_digest(row[1]), row[2], row[3], row[4], ImageStatus(row[5]))
        for row in connection.execute(statement)
    ]


def find_raws(connection: Connection, image_ids: Iterable[int]) -> dict[int, bytes]:
    """The exact bytes of manifests by row id; bound their sum by asking for few."""
    statement = select(manifest.c.id, manifest.c.raw).where(manifest.c.id.in_(sorted(image_ids)))
    return {row.id: row.raw for row in connection.execute(statement)}
