"""Images: rows of manifests, found, locked, inserted, listed and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from entrepot.domain.digest import Digest
from entrepot.domain.image import ImageDetail, ImageFilter, ImageStatus, TagStatus
from entrepot.domain.manifest import Manifest
from entrepot.domain.page import PageRequest
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.view import ImageRow
from entrepot.store.metadata.base import from_micros, from_optional_micros
from entrepot.store.metadata.schema import manifest, tag
from entrepot.store.metadata.statement import Statement

_INSERTED = (
    "repository_id",
    "digest",
    "media_type",
    "artifact_type",
    "subject_digest",
    "size_bytes",
    "image_size_bytes",
    "status",
    "pushed_at",
    "raw",
)
_INSERT = Statement(
    insert(manifest)
    .values({name: bindparam(name) for name in _INSERTED})
    .on_conflict_do_nothing(index_elements=[manifest.c.repository_id, manifest.c.digest])
    .returning(manifest.c.id)
)
_LOCK_BY_DIGEST = (
    select(manifest.c.id)
    .where(manifest.c.repository_id == bindparam("repository_id"), manifest.c.digest == bindparam("digest"))
    .with_for_update(read=True, key_share=True)
)
_IN_REPOSITORY = (
    manifest.c.repository_id == bindparam("repository_id"),
    manifest.c.digest.in_(bindparam("digests", expanding=True)),
)
_LOCK_CHILDREN = (
    select(manifest.c.id, manifest.c.digest, manifest.c.image_size_bytes)
    .where(*_IN_REPOSITORY)
    .order_by(manifest.c.id)
    .with_for_update(read=True, key_share=True)
)
_IDS = select(manifest.c.id, manifest.c.digest).where(*_IN_REPOSITORY)
_LOCK_FOR_DELETION = (
    select(manifest.c.id, manifest.c.digest)
    .where(manifest.c.id.in_(bindparam("image_ids", expanding=True)))
    .order_by(manifest.c.id)
    .with_for_update()
)
_RAW = select(manifest.c.raw).where(manifest.c.id == bindparam("id"))
_COUNT = select(func.count()).select_from(manifest).where(manifest.c.repository_id == bindparam("repository_id"))
_RECORD_PULL = (
    update(manifest)
    .where(
        manifest.c.id == bindparam("row_id"),
        or_(manifest.c.pulled_at.is_(None), manifest.c.pulled_at < bindparam("stale_before")),
    )
    .values(pulled_at=bindparam("pulled"))
)
_ANY_TAG = tag.alias("any_tag")
# A subquery with a limit: PostgreSQL would hash all tags of the database for an EXISTS.
_A_TAG = select(_ANY_TAG.c.name).where(_ANY_TAG.c.manifest_id == manifest.c.id).limit(1).scalar_subquery()
_DETAIL = (
    manifest.c.id,
    manifest.c.digest,
    manifest.c.media_type,
    manifest.c.artifact_type,
    manifest.c.image_size_bytes,
    manifest.c.pushed_at,
    manifest.c.pulled_at,
    manifest.c.subject_digest,
    manifest.c.status,
    manifest.c.archived_at,
    manifest.c.activated_at,
)


def to_digest(text: str) -> Digest:
    """A digest from a column, which only ever holds checked ones."""
    return Digest(*text.split(":"))


# ── changes ──────────────────────────────────────────────────────────────────────────────────


def insert_image(
    connection: Connection, repository_id: int, pushed: Manifest, image_size_bytes: int, now_micros: int
) -> int | None:
    """Insert a manifest and return its row id; None when the repository has that digest."""
    values = {
        "repository_id": repository_id,
        "digest": str(pushed.digest),
        "media_type": pushed.media_type,
        "artifact_type": pushed.artifact_type,
        "subject_digest": str(pushed.subject.digest) if pushed.subject else None,
        "size_bytes": len(pushed.raw),
        "image_size_bytes": image_size_bytes,
        "status": ImageStatus.ACTIVE.value,
        "pushed_at": now_micros,
        "raw": pushed.raw,
    }
    made = _INSERT.row(connection, values)
    return made[0] if made else None


def lock_image(connection: Connection, repository_id: int, digest: Digest) -> int | None:
    """The row id of an image, kept from deletion until the transaction ends."""
    return connection.execute(
        _LOCK_BY_DIGEST, {"repository_id": repository_id, "digest": str(digest)}
    ).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class ChildRow:
    """A manifest that an index names."""

    id: int
    digest: Digest
    image_size_bytes: int


def lock_children(connection: Connection, repository_id: int, digests: Iterable[Digest]) -> list[ChildRow]:
    """Those of `digests` that the repository holds, kept from deletion until the transaction ends."""
    rows = connection.execute(_LOCK_CHILDREN, _in_repository(repository_id, digests))
    return [ChildRow(row_id, to_digest(text), size) for row_id, text, size in rows]


def lock_for_deletion(connection: Connection, image_ids: Iterable[int]) -> dict[int, Digest]:
    """Lock images by row id, in that order, against everything; those that still exist, with their digests."""
    rows = connection.execute(_LOCK_FOR_DELETION, {"image_ids": list(image_ids)})
    return {row_id: to_digest(text) for row_id, text in rows}


def delete_image(connection: Connection, image_id: int) -> None:
    """Delete the row of an image whose tags and references are gone."""
    connection.execute(delete(manifest).where(manifest.c.id == image_id))


def record_pulls(connection: Connection, pulls: Sequence[tuple[int, int]], refresh_micros: int) -> None:
    """Write (row id, time) of last pulls where the row's own is older by `refresh_micros` or missing."""
    values = [
        {"row_id": image_id, "pulled": pulled_at, "stale_before": pulled_at - refresh_micros}
        for image_id, pulled_at in sorted(pulls)
    ]
    connection.execute(_RECORD_PULL, values)


# ── reads ────────────────────────────────────────────────────────────────────────────────────


def find_raw(connection: Connection, image_id: int) -> bytes | None:
    """The exact bytes of a manifest."""
    return connection.execute(_RAW, {"id": image_id}).scalar_one_or_none()


def count_images(connection: Connection, repository_id: int) -> int:
    """How many images a repository has: a walk over one index, some milliseconds for 100,000."""
    return connection.execute(_COUNT, {"repository_id": repository_id}).scalar_one()


def find_image_ids(connection: Connection, repository_id: int, digests: Iterable[Digest]) -> dict[Digest, int]:
    """The row ids of those of `digests` that the repository holds."""
    return {
        to_digest(text): row_id for row_id, text in connection.execute(_IDS, _in_repository(repository_id, digests))
    }


def _in_repository(repository_id: int, digests: Iterable[Digest]) -> dict[str, Any]:
    return {"repository_id": repository_id, "digests": list({str(digest) for digest in digests})}


def find_images(
    connection: Connection, owner: Registry, name: RepositoryName, image_ids: Iterable[int]
) -> dict[int, ImageRow]:
    """Images of the repository `name` by row id."""
    statement = select(
        manifest.c.id, manifest.c.digest, manifest.c.media_type, manifest.c.size_bytes, manifest.c.status
    ).where(manifest.c.id.in_(sorted(image_ids)))
    return {
        row.id: ImageRow(
            row.id, to_digest(row.digest), row.media_type, row.size_bytes, ImageStatus(row.status), owner, name
        )
        for row in connection.execute(statement)
    }


def list_image_ids(
    connection: Connection, repository_id: int, wanted: ImageFilter, page: PageRequest, end: int | None = None
) -> list[tuple[tuple[int, str], ImageId]]:
    """One entry per tag and one per untagged image, each with its key (row id, tag name or empty), in key order.

    Images of row ids beyond `end` are left out.
    """
    name = tag.c.name
    statement = (
        select(manifest.c.id, manifest.c.digest, name)
        .select_from(manifest.outerjoin(tag, tag.c.manifest_id == manifest.c.id))
        .where(manifest.c.repository_id == repository_id, *_conditions(wanted, end))
        .order_by(manifest.c.id, name)
        .limit(page.size)
    )
    if page.after is not None:
        image_id, last = page.after
        # An untagged image is one entry, so nothing follows it under the same id.
        statement = statement.where(
            manifest.c.id >= image_id, or_(manifest.c.id > image_id, and_(name.is_not(None), name > last))
        )
    return [
        ((row.id, row.name or ""), ImageId(to_digest(row.digest), Tag(row.name) if row.name else None))
        for row in connection.execute(statement)
    ]


def describe_page(
    connection: Connection, repository_id: int, wanted: ImageFilter, page: PageRequest, end: int | None = None
) -> list[tuple[int, ImageDetail]]:
    """Images by row id, up to `end`, each with that id; their tags are left empty."""
    statement = (
        select(*_DETAIL)
        .where(manifest.c.repository_id == repository_id, *_conditions(wanted, end))
        .order_by(manifest.c.id)
        .limit(page.size)
    )
    if page.after is not None:
        statement = statement.where(manifest.c.id > page.after[0])
    return [(row.id, _to_detail(row)) for row in connection.execute(statement)]


def describe_images(connection: Connection, image_ids: Iterable[int], wanted: ImageFilter) -> dict[int, ImageDetail]:
    """Those of these row ids that fit the filter; their tags are left empty."""
    statement = select(*_DETAIL).where(manifest.c.id.in_(sorted(image_ids)), *_conditions(wanted))
    return {row.id: _to_detail(row) for row in connection.execute(statement)}


def find_page_end(
    connection: Connection, repository_id: int, wanted: ImageFilter, page: PageRequest, most: int
) -> int | None:
    """The row id up to which a page looks, at most `most` images on; None where it need not be bounded.

    A filter that hardly any image passes would otherwise walk through the whole repository for one page.
    """
    if wanted.tag_status is TagStatus.ANY and wanted.status in {None, ImageStatus.ACTIVE}:
        return None
    statement = select(manifest.c.id).where(manifest.c.repository_id == repository_id).order_by(manifest.c.id)
    if page.after is not None:
        statement = statement.where(manifest.c.id > page.after[0])
    return connection.execute(statement.limit(1).offset(most - 1)).scalar_one_or_none()


def _conditions(wanted: ImageFilter, end: int | None = None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [] if end is None else [manifest.c.id <= end]
    if wanted.status is not None:
        conditions.append(manifest.c.status == wanted.status.value)
    if wanted.tag_status is TagStatus.TAGGED:
        conditions.append(_A_TAG.is_not(None))
    elif wanted.tag_status is TagStatus.UNTAGGED:
        conditions.append(_A_TAG.is_(None))
    return conditions


def _to_detail(row: Any) -> ImageDetail:
    return ImageDetail(
        digest=to_digest(row.digest),
        tags=(),
        media_type=row.media_type,
        artifact_type=row.artifact_type,
        size_bytes=row.image_size_bytes,
        pushed_at=from_micros(row.pushed_at),
        pulled_at=from_optional_micros(row.pulled_at),
        subject=to_digest(row.subject_digest) if row.subject_digest else None,
        status=ImageStatus(row.status),
        archived_at=from_optional_micros(row.archived_at),
        activated_at=from_optional_micros(row.activated_at),
    )
