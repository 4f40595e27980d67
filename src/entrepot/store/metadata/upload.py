"""Upload rows: what is acknowledged, who writes, and which staged pieces count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, literal, select, update

from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import registry, repository, upload, upload_segment


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An upload session; times in microseconds UTC."""

    id: str
    repository_id: int
    account_id: str
    kind: str
    storage_key: str
    store: str
    format: int
    frame_bytes: int
    wrapped_key: bytes | None
    algorithm: str
    offset_bytes: int
    digest: str | None
    """Of the bytes 0..offset by `algorithm`; None when they must be read again."""
    tail: str | None
    tail_bytes: int
    """Plain bytes of the partial frame that the tail holds."""
    lease: str | None
    parts: int
    last_part_bytes: int
    has_short_part: bool
    domain_id: int
    registry_account_id: str
    region: str
    repository: str


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What is decided when an upload starts."""

    id: str
    repository_id: int
    account_id: str
    kind: str
    storage_key: str
    store: str
    format: int
    frame_bytes: int
    wrapped_key: bytes | None
    algorithm: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What an append changes in the row."""

    offset_bytes: int
    digest: str | None
    tail: str | None
    tail_bytes: int
    last_part_bytes: int
    has_short_part: bool
    expires_at: int


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A staged piece that counts."""

    name: str
    stored_bytes: int
    etag: str | None


_COLUMNS = (
    *(upload.c[name] for name in UploadRow.__dataclass_fields__ if name in upload.c),
    repository.c.domain_id,
    registry.c.account_id.label("registry_account_id"),
    registry.c.region,
    repository.c.name.label("repository"),
)
_FIND = (
    select(*_COLUMNS)
    .join(repository, repository.c.id == upload.c.repository_id)
    .join(registry, registry.c.id == repository.c.registry_id)
)


def insert_upload(connection: Connection, row: NewUpload) -> None:
    """Begin an upload that has no bytes yet."""
    values = {name: getattr(row, name) for name in NewUpload.__dataclass_fields__}
    connection.execute(
        insert(connection, upload).values(
            **values, offset_bytes=0, tail_bytes=0, parts=0, last_part_bytes=0, has_short_part=False
        )
    )


def find_upload(connection: Connection, upload_id: str) -> UploadRow | None:
    """An upload by its id, with the repository that it belongs to."""
    return _to_row(connection.execute(_FIND.where(upload.c.id == upload_id)).one_or_none())


def list_segments(connection: Connection, upload_id: str) -> list[SegmentRow]:
    """The acknowledged segments of an upload in order."""
    columns = upload_segment.c
    rows = connection.execute(
        select(columns.name, columns.stored_bytes, columns.etag)
        .where(columns.upload_id == upload_id)
        .order_by(columns.number)
    )
    return [SegmentRow(*row) for row in rows]


def take_lease(
    connection: Connection, upload_id: str, start: int | None, lease: str, lease_expires_at: int, expires_at: int
) -> bool:
    """Become the writer of an upload that stands at `start` (None: anywhere), whoever was before."""
    statement = update(upload).where(upload.c.id == upload_id)
    if start is not None:
        statement = statement.where(upload.c.offset_bytes == start)
    values = {"lease": lease, "lease_expires_at": lease_expires_at, "expires_at": expires_at}
    return connection.execute(statement.values(values)).rowcount == 1


def commit_append(
    connection: Connection, row: UploadRow, lease: str, progress: Progress, segment: SegmentRow | None
) -> bool:
    """Acknowledge an append if `lease` still writes and nobody else moved the offset; else change nothing."""
    changed = connection.execute(
        update(upload)
        .where(upload.c.id == row.id, upload.c.offset_bytes == row.offset_bytes, upload.c.lease == lease)
        .values(
            offset_bytes=progress.offset_bytes,
            digest=progress.digest,
            tail=progress.tail,
            tail_bytes=progress.tail_bytes,
            last_part_bytes=progress.last_part_bytes,
            has_short_part=progress.has_short_part,
            parts=upload.c.parts + 1,
            lease=None,
            expires_at=progress.expires_at,
        )
    )
    if changed.rowcount != 1:
        return False
    if segment is not None:
        last = connection.scalar(select(func.max(upload_segment.c.number)).where(upload_segment.c.upload_id == row.id))
        values = {"name": segment.name, "stored_bytes": segment.stored_bytes, "etag": segment.etag}
        connection.execute(
            insert(connection, upload_segment).values(upload_id=row.id, number=(last or 0) + 1, **values)
        )
    return True


def remove_upload(
    connection: Connection, upload_id: str, offset_bytes: int | None = None, lease: str | None = None
) -> bool:
    """End an upload, if it still stands at that offset and, when one is given, still has that lease."""
    locked = select(literal(1)).where(upload.c.id == upload_id)
    if offset_bytes is not None:
        locked = locked.where(upload.c.offset_bytes == offset_bytes)
    if lease is not None:
        locked = locked.where(upload.c.lease == lease)
    if connection.scalar(locked.with_for_update()) is None:
        return False
    connection.execute(delete(upload_segment).where(upload_segment.c.upload_id == upload_id))
    connection.execute(delete(upload).where(upload.c.id == upload_id))
    return True


def claim_expired(connection: Connection, now: int, limit: int) -> Sequence[tuple[str, str, str]]:
    """Ids, storage keys and stores of uploads past their time, locked for removal; those in use are left out."""
    statement = (
        select(upload.c.id, upload.c.storage_key, upload.c.store)
        .where(upload.c.expires_at <= now)
        .order_by(upload.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(row.id, row.storage_key, row.store) for row in connection.execute(statement)]


def _to_row(row: Row[Any] | None) -> UploadRow | None:
    return None if row is None else UploadRow(*tuple(row))
