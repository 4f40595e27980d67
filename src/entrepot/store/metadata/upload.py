"""Upload rows: what is acknowledged, who writes, and which staged pieces count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, delete, func, insert, or_, select, update

from entrepot.domain.registry import Registry
from entrepot.domain.sealed_key import SealedKey
from entrepot.store.blob.base import Staging
from entrepot.store.metadata.schema import registry, repository, upload, upload_segment
from entrepot.store.metadata.sealed_key import SEAL_COLUMNS, to_seal
from entrepot.store.metadata.statement import Statement, Values, parameters_of


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
    link_key: bytes | None
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
    appends: int
    store_parts: int
    domain_id: int
    registry_account_id: str
    region: str
    repository: str
    seal: SealedKey | None
    """What opens the key of its repository."""


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
    link_key: bytes | None
    algorithm: str
    created_at: int
    expires_at: int
    principal_id: str
    """Unique id of who started it."""


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
class Right:
    """What entitles somebody to change an upload: its lease or the right to publish it, where they are given."""

    upload_id: str
    lease: str | None
    publisher: str | None


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
    *SEAL_COLUMNS,
)
_FIND = Statement(
    select(*_COLUMNS)
    .join(repository, repository.c.id == upload.c.repository_id)
    .join(registry, registry.c.id == repository.c.registry_id)
    .where(upload.c.id == bindparam("id"))
)
_NO_BYTES = {"offset_bytes": 0, "tail_bytes": 0, "parts": 0, "last_part_bytes": 0, "has_short_part": False}
_NEW = (*NewUpload.__dataclass_fields__, *_NO_BYTES)
_INSERT = Statement(insert(upload).values({name: bindparam(name) for name in _NEW}))
_OPEN = (
    select(upload.c.id)
    .where(upload.c.principal_id == bindparam("principal_id"))
    .limit(bindparam("most", type_=Integer()))
    .subquery()
)
_COUNT_OPEN = Statement(select(func.count()).select_from(_OPEN))
_HOLD = Statement(
    select(upload.c.offset_bytes, upload.c.lease, upload.c.storage_key, upload.c.appends, upload.c.store_parts)
    .where(upload.c.id == bindparam("id"))
    .with_for_update()
)
_DELETE = Statement(delete(upload).where(upload.c.id == bindparam("id")))
_DELETE_FRESH = Statement(
    delete(upload).where(
        upload.c.id == bindparam("id"), upload.c.offset_bytes == 0, upload.c.parts == 0, upload.c.lease.is_(None)
    )
)
_TAKE = (
    update(upload)
    .where(upload.c.id == bindparam("of_id"))
    .values({name: bindparam(name) for name in ("lease", "lease_expires_at", "expires_at")})
    .values(appends=upload.c.appends + 1)
)
_LEASE_ANYWHERE = Statement(_TAKE)
_LEASE = Statement(_TAKE.where(upload.c.offset_bytes == bindparam("of_offset")))
_COMMIT = Statement(
    update(upload)
    .where(
        upload.c.id == bindparam("of_id"),
        upload.c.offset_bytes == bindparam("of_offset"),
        upload.c.lease == bindparam("of_lease"),
    )
    .values({name: bindparam(name) for name in ("lease", *Progress.__dataclass_fields__)})
    .values(parts=upload.c.parts + 1)
)
_SEGMENTS = Statement(
    select(upload_segment.c.name, upload_segment.c.stored_bytes, upload_segment.c.etag)
    .where(upload_segment.c.upload_id == bindparam("upload_id"))
    .order_by(upload_segment.c.number)
)
_LAST_NUMBER = Statement(
    select(func.max(upload_segment.c.number)).where(upload_segment.c.upload_id == bindparam("upload_id"))
)
_INSERT_SEGMENT = Statement(insert(upload_segment).values(parameters_of(upload_segment)))
_DELETE_SEGMENT = delete(upload_segment).where(
    upload_segment.c.upload_id == bindparam("upload_id"), upload_segment.c.name == bindparam("name")
)
_DELETE_SEGMENTS = Statement(delete(upload_segment).where(upload_segment.c.upload_id == bindparam("upload_id")))


def insert_upload(connection: Connection, row: NewUpload) -> None:
    """Begin an upload that has no bytes yet."""
    _INSERT.change(connection, {name: getattr(row, name) for name in NewUpload.__dataclass_fields__} | _NO_BYTES)


def count_open(connection: Connection, principal_id: str, most: int) -> int:
    """How many uploads a principal has open; counts no further than `most`."""
    ((count,),) = _COUNT_OPEN.rows(connection, {"principal_id": principal_id, "most": most})
    return int(count)


def find_upload(connection: Connection, upload_id: str) -> UploadRow | None:
    """An upload by its id, with the repository that it belongs to."""
    return _to_row(_FIND.row(connection, {"id": upload_id}))


def list_segments(connection: Connection, upload_id: str) -> list[SegmentRow]:
    """The acknowledged segments of an upload in order."""
    return [SegmentRow(*row) for row in _SEGMENTS.rows(connection, {"upload_id": upload_id})]


def take_lease(
    connection: Connection, upload_id: str, start: int | None, lease: str, lease_expires_at: int, expires_at: int
) -> bool:
    """Become the writer of an upload that stands at `start` (None: anywhere), whoever was before."""
    values = {"lease": lease, "lease_expires_at": lease_expires_at, "expires_at": expires_at}
    if start is None:
        return _LEASE_ANYWHERE.change(connection, {"of_id": upload_id, **values}) == 1
    return _LEASE.change(connection, {"of_id": upload_id, "of_offset": start, **values}) == 1


def commit_append(
    connection: Connection,
    row: UploadRow,
    lease: str,
    progress: Progress,
    segments: Sequence[SegmentRow],
    replaced: Sequence[str],
) -> bool:
    """Acknowledge an append if `lease` still writes and nobody else moved the offset; else change nothing.

    `segments` come behind those that count; `replaced` are the names of some that no longer do.
    """
    values = {name: getattr(progress, name) for name in Progress.__dataclass_fields__}
    changed = _COMMIT.change(
        connection, {"of_id": row.id, "of_offset": row.offset_bytes, "of_lease": lease, "lease": None, **values}
    )
    if changed != 1:
        return False
    for name in replaced:
        connection.execute(_DELETE_SEGMENT, {"upload_id": row.id, "name": name})
    if segments:
        ((last,),) = _LAST_NUMBER.rows(connection, {"upload_id": row.id})
        for number, segment in enumerate(segments, (last or 0) + 1):
            _INSERT_SEGMENT.change(connection, {"upload_id": row.id, "number": number, **asdict(segment)})
    return True


def reserve_parts(
    connection: Connection, ours: Right, count: int, multipart: str | None, publisher_expires_at: int
) -> tuple[int, str | None] | None:
    """Take `count` part numbers; the last one handed out, and the S3 upload that the row names from now on.

    A publisher's right is extended. None when the right is lost.
    """
    values: dict[str, Any] = {
        "store_parts": upload.c.store_parts + count,
        "store_upload_id": func.coalesce(upload.c.store_upload_id, multipart),
    }
    statement = update(upload).where(upload.c.id == ours.upload_id)
    if ours.lease is not None:
        statement = statement.where(upload.c.lease == ours.lease)
    if ours.publisher is not None:
        statement = statement.where(upload.c.publisher == ours.publisher)
        values["publisher_expires_at"] = publisher_expires_at
    found = connection.execute(
        statement.values(values).returning(upload.c.store_parts, upload.c.store_upload_id)
    ).first()
    return None if found is None else (found.store_parts, found.store_upload_id)


def hold_publishing(connection: Connection, upload_id: str, publisher: str, now: int, expires_at: int) -> bool:
    """Take the right to publish; True also when the upload is gone: nobody else has the right then."""
    is_free = or_(upload.c.publisher.is_(None), upload.c.publisher_expires_at <= now)
    statement = update(upload).where(upload.c.id == upload_id, is_free)
    taken = connection.execute(statement.values(publisher=publisher, publisher_expires_at=expires_at)).rowcount == 1
    return taken or connection.scalar(select(upload.c.id).where(upload.c.id == upload_id)) is None


def release_publishing(connection: Connection, upload_id: str, publisher: str) -> None:
    """Give the right back, unless another one has it by now."""
    statement = update(upload).where(upload.c.id == upload_id, upload.c.publisher == publisher)
    connection.execute(statement.values(publisher=None, publisher_expires_at=None))


def remove_upload(
    connection: Connection, upload_id: str, offset_bytes: int | None = None, lease: str | None = None
) -> Staging | None:
    """End an upload, if it still stands at that offset and, when one is given, still has that lease; what it staged."""
    found = _HOLD.row(connection, {"id": upload_id})
    if found is None:
        return None
    now_at, writer, storage_key, appends, store_parts = found
    if offset_bytes not in (None, now_at) or lease not in (None, writer):
        return None
    _DELETE_SEGMENTS.change(connection, {"upload_id": upload_id})
    _DELETE.change(connection, {"id": upload_id})
    return Staging(storage_key, appends, store_parts > 0)


def remove_fresh_upload(connection: Connection, upload_id: str) -> bool:
    """End an upload, if it never had bytes and nobody writes."""
    return _DELETE_FRESH.change(connection, {"id": upload_id}) == 1


def claim_expired(connection: Connection, now: int, limit: int) -> Sequence[tuple[str, str]]:
    """Ids and stores of uploads past their time, locked for removal; those in use are left out."""
    statement = (
        select(upload.c.id, upload.c.store)
        .where(upload.c.expires_at <= now)
        .order_by(upload.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(row.id, row.store) for row in connection.execute(statement)]


def _to_row(row: Values | None) -> UploadRow | None:
    if row is None:
        return None
    columns = row[: -len(SEAL_COLUMNS)]
    owner, region, name = columns[-3:]
    seal = to_seal(row[-len(SEAL_COLUMNS) :], columns[1], Registry(owner, region).repository_arn(name))
    return UploadRow(*(*columns, seal))
