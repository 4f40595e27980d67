"""Garbage: links past their promise without a reference, and blobs without links; found by index, never by scan.

On PostgreSQL what may be garbage is claimed in one statement, and what refers to it is read in the next, whose
snapshot is younger than the claim: whoever names it either did so before, and is seen, or waits and finds it gone.
What another transaction holds is left for the next run. On SQLite there is one writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
    union,
    update,
)

from entrepot.store.blob.base import Staging
from entrepot.store.metadata.doomed import doom
from entrepot.store.metadata.manifest_reference import IS_REFERENCED
from entrepot.store.metadata.schema import blob, manifest_reference, repository_blob

Link = tuple[int, int]
"""Repository and blob by row id."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run would remove."""

    links: int
    blobs: int
    size_bytes: int
    """Plain bytes of those blobs."""


_BLOBS: BindParameter[int] = bindparam("blobs", expanding=True)
_REFERENCED = (
    select(manifest_reference.c.blob_id)
    .where(manifest_reference.c.repository_id == bindparam("repository"), manifest_reference.c.blob_id.in_(_BLOBS))
    .distinct()
)
_THESE = (repository_blob.c.repository_id == bindparam("repository"), repository_blob.c.blob_id.in_(_BLOBS))
_SETTLE = update(repository_blob).where(*_THESE).values(is_settled=True)
_REMOVE = delete(repository_blob).where(*_THESE)


def _is_due(now: int) -> ColumnElement[bool]:
    """In the words of the partial index."""
    return and_(~repository_blob.c.is_settled, repository_blob.c.keep_until <= now)


def claim_due_links(connection: Connection, now: int, limit: int) -> list[Link]:
    """Links whose promise is over and that nobody has looked at since, the longest over first."""
    due = select(repository_blob.c.repository_id, repository_blob.c.blob_id).where(_is_due(now))
    due = due.order_by(repository_blob.c.keep_until).limit(limit)
    return [(row[0], row[1]) for row in connection.execute(due.with_for_update(skip_locked=True))]


def referenced_among(connection: Connection, links: Iterable[Link]) -> set[Link]:
    """Those links of `links` that a manifest of their repository references."""
    return {
        (key["repository"], blob_id)
        for key in _by_repository(links)
        for blob_id in connection.execute(_REFERENCED, key).scalars()
    }


def settle(connection: Connection, links: Iterable[Link]) -> None:
    """Look at these no more until a manifest lets go of them."""
    for key in _by_repository(links):
        connection.execute(_SETTLE, key)


def remove_links(connection: Connection, links: Sequence[Link]) -> None:
    """Have repositories hold blobs no longer."""
    for key in _by_repository(links):
        connection.execute(_REMOVE, key)
    blob_ids = sorted({blob_id for _, blob_id in links})
    connection.execute(update(blob).where(blob.c.id.in_(blob_ids)).values(is_loose=True))


def _by_repository(links: Iterable[Link]) -> list[dict[str, Any]]:
    """Parameters of a statement for each repository: so both engines use their index, which pairs would not."""
    grouped: dict[int, list[int]] = {}
    for repository_id, blob_id in sorted(links):
        grouped.setdefault(repository_id, []).append(blob_id)
    return [{"repository": repository_id, "blobs": blob_ids} for repository_id, blob_ids in grouped.items()]


def claim_loose_blobs(connection: Connection, limit: int) -> list[int]:
    """Blobs that lost a link since somebody looked, by row id."""
    loose = select(blob.c.id).where(blob.c.is_loose).order_by(blob.c.id).limit(limit)
    return list(connection.execute(loose.with_for_update(skip_locked=True)).scalars())


def linked_among(connection: Connection, blob_ids: Sequence[int]) -> set[int]:
    """Those blobs that a repository holds."""
    links = select(repository_blob.c.blob_id).where(repository_blob.c.blob_id.in_(blob_ids)).distinct()
    return set(connection.execute(links).scalars())


def hold_fast(connection: Connection, blob_ids: Iterable[int]) -> None:
    """Blobs that were found linked are loose no more."""
    connection.execute(update(blob).where(blob.c.id.in_(list(blob_ids))).values(is_loose=False))


def remove_blobs(connection: Connection, blob_ids: Iterable[int], not_before: int) -> int:
    """Delete the rows of blobs and doom their bytes from a time on; how many plain bytes that frees."""
    condition = blob.c.id.in_(list(blob_ids))
    rows = connection.execute(select(blob.c.storage_key, blob.c.store, blob.c.size_bytes).where(condition)).all()
    for row in rows:
        doom(connection, Staging(row.storage_key), row.store, not_before)
    connection.execute(delete(blob).where(condition))
    return sum(row.size_bytes for row in rows)


def survey(connection: Connection, now: int) -> Survey:
    """What a run at `now` would remove; reads what is due and what is loose, nothing else."""
    due = and_(_is_due(now), ~IS_REFERENCED)
    links = connection.scalar(select(func.count()).select_from(repository_blob).where(due)) or 0
    suspects = union(select(repository_blob.c.blob_id).where(due), select(blob.c.id).where(blob.c.is_loose))
    stays = exists().where(repository_blob.c.blob_id == blob.c.id, ~due)
    gone = and_(blob.c.id.in_(suspects), ~stays)
    count, size = connection.execute(
        select(func.count(), func.coalesce(func.sum(blob.c.size_bytes), 0)).where(gone)
    ).one()
    return Survey(links, count, int(size))
