"""What verification reads: rows of images, blobs and uploads in pages, with everything that must agree with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, exists, func, select

from entrepot.domain.sealed_key import SealedKey
from entrepot.store.blob.base import Format
from entrepot.store.metadata.link_key import list_link_keys
from entrepot.store.metadata.schema import (
    blob,
    doomed_object,
    manifest,
    manifest_reference,
    registry,
    repository,
    repository_blob,
    tag,
    upload,
    upload_segment,
)

_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """A reference, with the digest and size (bytes) of the row that it leads to."""

    kind: str
    media_type: str
    blob_id: int | None
    child_id: int | None
    digest: str | None
    size_bytes: int | None
    """Of a blob; of a child its image size."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image with its bytes and references."""

    id: int
    digest: str
    media_type: str
    artifact_type: str | None
    subject_digest: str | None
    size_bytes: int
    image_size_bytes: int
    raw: bytes
    references: tuple[ReferenceFacts, ...]


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """A blob, where its bytes are, and one of the repositories that have its key."""

    id: int
    domain_id: int
    digest: str
    size_bytes: int
    storage_key: str
    store: str
    format: int
    frame_bytes: int
    wrapped_key: bytes | None
    link_key: bytes | None
    seal: SealedKey | None
    is_held: bool


@dataclass(frozen=True, slots=True)
class UploadFacts:
    """An upload and what it has acknowledged; pieces are name and stored bytes."""

    id: str
    domain_id: int
    storage_key: str
    store: str
    format: int
    frame_bytes: int
    wrapped_key: bytes | None
    offset_bytes: int
    tail: str | None
    tail_bytes: int
    segments: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class AffectedImage:
    """An image that something broken takes with it."""

    id: int
    account_id: str
    region: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    is_direct: bool
    """Whether it is the one that names what is broken, rather than an index above it."""


_IMAGE = tuple(manifest.c[name] for name in ImageFacts.__dataclass_fields__ if name in manifest.c)
_BLOB = tuple(blob.c[name] for name in BlobFacts.__dataclass_fields__ if name in blob.c)
_UPLOAD = tuple(
    repository.c.domain_id if name == "domain_id" else upload.c[name]
    for name in UploadFacts.__dataclass_fields__
    if name != "segments"
)
_CHILD = manifest.alias("child")


def count_rows(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def sum_blob_bytes(connection: Connection, after: int) -> int:
    """Plain bytes of all blobs behind a row id."""
    return int(connection.scalar(select(func.sum(blob.c.size_bytes)).where(blob.c.id > after)) or 0)


def page_images(connection: Connection, after: int, limit: int) -> list[ImageFacts]:
    """Images behind a row id, in order."""
    return _images(connection, manifest.c.id > after, limit)


def find_image(connection: Connection, key: int) -> ImageFacts | None:
    """One image."""
    return next(iter(_images(connection, manifest.c.id == key, 1)), None)


def page_blobs(connection: Connection, after: int, limit: int) -> list[BlobFacts]:
    """Blobs behind a row id, in order."""
    rows = connection.execute(select(*_BLOB).where(blob.c.id > after).order_by(blob.c.id).limit(limit))
    return [_to_blob(connection, row) for row in rows]


def find_blob(connection: Connection, key: int) -> BlobFacts | None:
    """One blob."""
    row = connection.execute(select(*_BLOB).where(blob.c.id == key)).one_or_none()
    return _to_blob(connection, row) if row else None


def page_uploads(connection: Connection, after: str, limit: int) -> list[UploadFacts]:
    """Uploads behind an id, in order."""
    return _uploads(connection, upload.c.id > after, limit)


def find_upload(connection: Connection, key: str) -> UploadFacts | None:
    """One upload."""
    return next(iter(_uploads(connection, upload.c.id == key, 1)), None)


def affected_by_blob(connection: Connection, blob_id: int) -> list[AffectedImage]:
    """The images that a blob is part of, and the indexes above them."""
    return _affected(connection, manifest_reference.c.blob_id == blob_id)


def affected_by_image(connection: Connection, image_id: int) -> list[AffectedImage]:
    """An image and the indexes above it."""
    return _affected(connection, manifest_reference.c.child_id == image_id, image_id)


def named_keys(connection: Connection, storage_keys: Sequence[str]) -> set[str]:
    """Those of the storage keys that any row names: an upload, a blob, or a sentence to be removed.

    Asked for in the order in which a key moves from row to row, so none slips through between two statements.
    """
    named: set[str] = set()
    for start in range(0, len(storage_keys), _KEYS_AT_ONCE):
        keys = storage_keys[start : start + _KEYS_AT_ONCE]
        for table in (upload, blob, doomed_object):
            # All rows that belong to a key begin with it: `KEY` and `KEY.staging`.
            names = [*keys, *(f"{key}.staging" for key in keys)] if table is doomed_object else keys
            found = connection.scalars(select(table.c.storage_key).where(table.c.storage_key.in_(names)))
            named.update(name.partition(".")[0] for name in found)
    return named


def _to_blob(connection: Connection, row: Row[*tuple[Any, ...]]) -> BlobFacts:
    holders = list_link_keys(connection, row.id) if row.format != Format.PLAIN else []
    holder = holders[0] if holders else None
    is_held = connection.scalar(select(exists().where(repository_blob.c.blob_id == row.id)))
    key = (holder.wrapped, holder.seal) if holder else (None, None)
    return BlobFacts(*(*row, *key, bool(is_held)))


def _images(connection: Connection, where: ColumnElement[bool], limit: int) -> list[ImageFacts]:
    rows = connection.execute(select(*_IMAGE).where(where).order_by(manifest.c.id).limit(limit)).all()
    references = _references(connection, [row.id for row in rows])
    return [ImageFacts(**{**row._mapping, "references": tuple(references[row.id])}) for row in rows]  # noqa: SLF001


def _references(connection: Connection, image_ids: list[int]) -> dict[int, list[ReferenceFacts]]:
    columns = manifest_reference.c
    statement = (
        select(
            columns.manifest_id,
            columns.kind,
            columns.media_type,
            columns.blob_id,
            columns.child_id,
            func.coalesce(blob.c.digest, _CHILD.c.digest),
            func.coalesce(blob.c.size_bytes, _CHILD.c.image_size_bytes),
        )
        .outerjoin(blob, blob.c.id == columns.blob_id)
        .outerjoin(_CHILD, _CHILD.c.id == columns.child_id)
        .where(columns.manifest_id.in_(image_ids))
        .order_by(columns.manifest_id, columns.position)
    )
    found: dict[int, list[ReferenceFacts]] = defaultdict(list)
    for image_id, *values in connection.execute(statement):
        found[image_id].append(ReferenceFacts(*values))
    return found


def _uploads(connection: Connection, where: ColumnElement[bool], limit: int) -> list[UploadFacts]:
    statement = select(*_UPLOAD).join(repository, repository.c.id == upload.c.repository_id).where(where)
    rows = connection.execute(statement.order_by(upload.c.id).limit(limit)).all()
    segments: dict[str, list[tuple[str, int]]] = defaultdict(list)
    pieces = (
        select(upload_segment.c.upload_id, upload_segment.c.name, upload_segment.c.stored_bytes)
        .where(upload_segment.c.upload_id.in_([row.id for row in rows]))
        .order_by(upload_segment.c.upload_id, upload_segment.c.number)
    )
    for upload_id, name, stored_bytes in connection.execute(pieces):
        segments[upload_id].append((name, stored_bytes))
    return [UploadFacts(**{**row._mapping, "segments": tuple(segments[row.id])}) for row in rows]  # noqa: SLF001


def _affected(connection: Connection, where: ColumnElement[bool], image_id: int | None = None) -> list[AffectedImage]:
    first = select(manifest_reference.c.manifest_id.label("id")).where(where)
    closure = first.cte("affected", recursive=True)
    above = select(manifest_reference.c.manifest_id).join(closure, manifest_reference.c.child_id == closure.c.id)
    closure = closure.union(above)
    direct = set(connection.scalars(first)) if image_id is None else {image_id}
    members = manifest.c.id.in_(select(closure.c.id))
    statement = (
        select(manifest.c.id, registry.c.account_id, registry.c.region, repository.c.name, manifest.c.digest)
        .join(repository, repository.c.id == manifest.c.repository_id)
        .join(registry, registry.c.id == repository.c.registry_id)
        .where(members if image_id is None else members | (manifest.c.id == image_id))
        .order_by(manifest.c.id)
    )
    rows = connection.execute(statement).all()
    return [AffectedImage(*row, tags=_tags(connection, row.id), is_direct=row.id in direct) for row in rows]


def _tags(connection: Connection, image_id: int) -> tuple[str, ...]:
    names = select(tag.c.name).where(tag.c.manifest_id == image_id).order_by(tag.c.name)
    return tuple(connection.scalars(names))
