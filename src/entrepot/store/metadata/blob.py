"""Blob rows, and the links by which a repository holds them.

On PostgreSQL a link is taken or removed under locks in the order repository, links, blobs by id. Whoever removes a
link marks its blob as loose in the same transaction: `garbage.py` looks at those, and at nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from entrepot.domain.digest import Digest
from entrepot.domain.error import Throttled
from entrepot.domain.image import ImageStatus
from entrepot.store.metadata.image import to_digest
from entrepot.store.metadata.manifest_reference import IS_REFERENCED
from entrepot.store.metadata.schema import blob, manifest, manifest_reference, repository_blob
from entrepot.store.metadata.statement import Statement

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob whose bytes are published and durable; `created_at` in microseconds UTC."""

    domain_id: int
    digest: Digest
    size_bytes: int
    storage_key: str
    store: str
    format: int
    frame_bytes: int
    wrapped_key: bytes | None
    created_at: int


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A blob that a repository holds."""

    blob_id: int
    digest: Digest
    size_bytes: int
    keep_until: int
    media_type: str | None
    """As a manifest of the repository names it; None when none references it."""


_REFERENCES = (
    manifest_reference.c.repository_id == repository_blob.c.repository_id,
    manifest_reference.c.blob_id == repository_blob.c.blob_id,
)
_LINKS = (
    select(
        blob.c.id,
        blob.c.digest,
        blob.c.size_bytes,
        repository_blob.c.keep_until,
        select(func.min(manifest_reference.c.media_type)).where(*_REFERENCES).scalar_subquery().label("media_type"),
    )
    .join(repository_blob, repository_blob.c.blob_id == blob.c.id)
    .where(
        repository_blob.c.repository_id == bindparam("repository_id"),
        blob.c.domain_id == bindparam("domain_id"),
        blob.c.digest.in_(bindparam("digests", expanding=True)),
    )
)
_INSERT_BLOB = Statement(
    insert(blob)
    .values({name: bindparam(name) for name in NewBlob.__dataclass_fields__})
    .on_conflict_do_nothing(index_elements=["domain_id", "digest"])
    .returning(blob.c.id)
)
_INSERT_LINK = Statement(
    insert(repository_blob)
    .values({name: bindparam(name) for name in ("repository_id", "blob_id", "wrapped_key", "linked_at", "keep_until")})
    .on_conflict_do_nothing()
    .returning(repository_blob.c.blob_id)
)
_HOLD_BLOB = Statement(
    select(blob.c.id)
    .where(blob.c.domain_id == bindparam("domain_id"), blob.c.digest == bindparam("digest"))
    .with_for_update(read=True, key_share=True)
)


def insert_blob(connection: Connection, row: NewBlob) -> int | None:
    """Record a blob; None when the domain holds its digest already."""
    values = {name: getattr(row, name) for name in NewBlob.__dataclass_fields__} | {"digest": str(row.digest)}
    made = _INSERT_BLOB.row(connection, values)
    return made[0] if made else None


def hold_blob(connection: Connection, domain_id: int, digest: Digest) -> int | None:
    """The id of a blob of the domain, kept from collection until the transaction ends (FOR KEY SHARE)."""
    found = _HOLD_BLOB.row(connection, {"domain_id": domain_id, "digest": str(digest)})
    return found[0] if found else None


def link_blob(
    connection: Connection, repository_id: int, blob_id: int, now: int, keep_until: int, link_key: bytes | None = None
) -> bool:
    """Have the repository hold a blob until at least `keep_until`; whether it did not hold it before.

    `link_key` is the data key of the blob, wrapped by the key of the repository, if that has one.

    Raises:
        Throttled: the collector took the link between two statements, again and again.
    """
    row = {
        "repository_id": repository_id,
        "blob_id": blob_id,
        "wrapped_key": link_key,
        "linked_at": now,
        "keep_until": keep_until,
    }
    for _ in range(ATTEMPTS):
        # Counted by what comes back: the row count of an INSERT is not to be had from every driver.
        if _INSERT_LINK.row(connection, row) is not None:
            return True
        if extend_promise(connection, repository_id, [blob_id], keep_until, keep_until):
            return False
    raise Throttled


def extend_promise(
    connection: Connection, repository_id: int, blob_ids: Sequence[int], before: int, keep_until: int
) -> set[int]:
    """Extend the grace of those links that no manifest references and whose grace ends before `before`.

    Returns the blobs of `blob_ids` that the repository does hold; they are locked, so it stays true until the commit.
    """
    links = (repository_blob.c.repository_id == repository_id, repository_blob.c.blob_id.in_(blob_ids))
    locked = select(repository_blob.c.blob_id).where(*links).order_by(repository_blob.c.blob_id)
    held = set(connection.execute(locked.with_for_update(key_share=True)).scalars())
    connection.execute(
        update(repository_blob)
        .where(*links, repository_blob.c.keep_until < before, ~IS_REFERENCED)
        .values(keep_until=keep_until)
    )
    return held


def find_links(connection: Connection, repository_id: int, domain_id: int, digests: Sequence[Digest]) -> list[LinkRow]:
    """Those of `digests` that the repository itself holds, in no order."""
    rows = connection.execute(
        _LINKS, {"repository_id": repository_id, "domain_id": domain_id, "digests": [str(digest) for digest in digests]}
    )
    return [LinkRow(row.id, to_digest(row.digest), *row[2:]) for row in rows]


def hold_link(connection: Connection, repository_id: int, domain_id: int, digest: Digest) -> int | None:
    """The id of a blob that the repository holds, locked against new references until the transaction ends."""
    statement = (
        select(repository_blob.c.blob_id)
        .join(blob, blob.c.id == repository_blob.c.blob_id)
        .where(repository_blob.c.repository_id == repository_id)
        .where(blob.c.domain_id == domain_id, blob.c.digest == str(digest))
    )
    return connection.scalar(statement.with_for_update(of=repository_blob))


def is_referenced(connection: Connection, repository_id: int, blob_id: int) -> bool:
    """Whether a manifest of the repository references the blob."""
    references = exists().where(
        manifest_reference.c.repository_id == repository_id, manifest_reference.c.blob_id == blob_id
    )
    return bool(connection.scalar(select(references)))


def has_active_image(connection: Connection, repository_id: int, blob_id: int) -> bool:
    """Whether an image of the repository that can be pulled references the blob."""
    images = (
        exists()
        .where(manifest_reference.c.repository_id == repository_id, manifest_reference.c.blob_id == blob_id)
        .where(manifest.c.id == manifest_reference.c.manifest_id, manifest.c.status == ImageStatus.ACTIVE)
    )
    return bool(connection.scalar(select(images)))


def unlink_blob(connection: Connection, repository_id: int, blob_id: int) -> None:
    """Have the repository hold a blob no longer. The caller holds the link and knows it unreferenced."""
    connection.execute(
        delete(repository_blob).where(
            repository_blob.c.repository_id == repository_id, repository_blob.c.blob_id == blob_id
        )
    )
    connection.execute(update(blob).where(blob.c.id == blob_id).values(is_loose=True))
