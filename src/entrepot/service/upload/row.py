"""What an upload row means: whose it is, where its bytes are, and how it is reported missing."""

from __future__ import annotations

from entrepot.domain.error import UploadNotFound
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.storage import Storage
from entrepot.store.blob.base import Location, Segment, Staging
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database

SEGMENTS_LOOKUP_MAX = 8
"""Up to so many appends the segments are read on the event loop."""

_MICROS = 1_000_000


def registry_of(row: rows.UploadRow) -> Registry:
    """The registry of its repository."""
    return Registry(row.registry_account_id, row.region)


def not_found(row: rows.UploadRow) -> UploadNotFound:
    """The error that this upload is there no more."""
    return UploadNotFound(registry_of(row), row.repository, row.id)


async def location_of(storage: Storage, row: rows.UploadRow) -> Location:
    """Where its bytes are, with the key unwrapped."""
    return await storage.location(row)


def staging_of(row: rows.UploadRow) -> Staging:
    """What may be staged for it."""
    return Staging(row.storage_key, row.appends, row.store_parts > 0)


def tail_of(row: rows.UploadRow, location: Location) -> Segment | None:
    """The acknowledged partial frame."""
    return Segment(row.tail, location.stored_bytes(row.tail_bytes)) if row.tail else None


async def segments_of(database: Database, row: rows.UploadRow) -> list[Segment]:
    """The acknowledged segments in order."""
    run = database.lookup if row.parts <= SEGMENTS_LOOKUP_MAX else database.read
    found = await run(lambda connection: rows.list_segments(connection, row.id))
    return [Segment(segment.name, segment.stored_bytes, segment.etag) for segment in found]


def micros_after(context: Context, seconds: int) -> int:
    """The time some seconds from now, as tables keep it."""
    return context.now_micros() + seconds * _MICROS
