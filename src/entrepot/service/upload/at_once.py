"""Small blobs at once: all bytes come with the request that completes a fresh upload, and become the object directly.

No lease, no staging, no lock: the object is made if there is none under the key, and its row only if nobody took the
upload's lease. Whoever goes the general way takes that lease first, and so may replace an object that is there. A store
that machines share cannot tell whether there is one: there it is made under the right to publish.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.digest import Digest, hasher
from entrepot.domain.error import LayerDigestMismatch, RangeInvalid, SizeInvalid
from entrepot.domain.limit import UPLOAD_LEASE_SECONDS
from entrepot.domain.promise import BlobPromise
from entrepot.service.context import Context
from entrepot.service.storage import Storage
from entrepot.service.upload.hold import publishing
from entrepot.service.upload.intake import Body
from entrepot.service.upload.record import Recorder
from entrepot.service.upload.row import location_of, micros_after, not_found, registry_of
from entrepot.store.blob.base import FRAME_BYTES, BlobStore, Location, Staging
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.doomed import doom
from entrepot.store.metadata.repository_key import get_repository_key

AT_ONCE_BYTES = FRAME_BYTES
"""A body up to this size is held in memory, as it came and encrypted: a quarter of what an upload may take."""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Publishes whole small bodies."""

    database: Database
    context: Context
    storage: Storage
    promise: BlobPromise

    async def publish(self, row: rows.UploadRow, digest: Digest, data: bytes) -> bool:
        """Make `data` the blob of an upload that has no bytes yet; durable on return. False: go the general way.

        `row` was read after the body had come, so that a long body cannot bring back a key that was swept.

        Raises:
            LayerDigestMismatch: nothing was made, the upload stands as it stood.
            RangeInvalid: somebody appended meanwhile.
            UploadNotFound: it ended meanwhile.
            StorageFull
        """
        if not _is_fresh(row):
            return False
        if not self.storage.store.is_shared:
            return await self._make_and_record(row, digest, data)
        async with publishing(self.database, self.context, self.storage, row):
            now = await self.database.lookup(lambda connection: rows.find_upload(connection, row.id))
            if now is None or not _is_fresh(now):
                raise not_found(row) if now is None else RangeInvalid(row.id, now.offset_bytes)
            return await self._make_and_record(row, digest, data)

    async def _make_and_record(self, row: rows.UploadRow, digest: Digest, data: bytes) -> bool:
        location = await location_of(self.storage, row)
        made = await self.storage.make(_make, self.storage.store, location, digest, data)
        if made is None:
            raise LayerDigestMismatch(registry_of(row), row.repository, digest)
        if made:
            size_bytes = len(data)
            is_ours = await self.storage.repository_keys.with_open(
                lambda: self.database.write(
                    lambda connection: self._record(connection, row, digest, size_bytes), is_short=True
                )
            )
            if not is_ours:
                await self.storage.delete(Staging(row.storage_key))
        return made

    def _record(self, connection: Connection, row: rows.UploadRow, digest: Digest, size_bytes: int) -> bool:
        """Move the key from the upload to a blob and link it; whether the blob has our bytes."""
        repository = get_repository_key(connection, registry_of(row), row.repository, is_locked=True)
        if repository.id != row.repository_id:
            raise not_found(row)
        if not rows.remove_fresh_upload(connection, row.id):
            left = rows.find_upload(connection, row.id)
            raise not_found(row) if left is None else RangeInvalid(row.id, left.offset_bytes)
        recorder = Recorder(self.context, self.storage.repository_keys, self.promise)
        is_ours, _ = recorder.record(connection, row, digest, size_bytes)
        if not is_ours:
            doom(connection, Staging(row.storage_key), row.store, micros_after(self.context, UPLOAD_LEASE_SECONDS))
        return is_ours


def is_small(length: int | None) -> bool:
    """Whether a body of that announced length may be published at once."""
    return length is not None and length <= AT_ONCE_BYTES


async def collect(body: Body | None, length: int | None) -> bytes:
    """A small body.

    Raises:
        SizeInvalid: it is longer or shorter than `length`.
    """
    parts, size = [], 0
    if body is not None:
        async for part in body:
            size += len(part)
            if size > (length or 0):
                raise SizeInvalid(f"more than the {length} bytes announced came")
            parts.append(bytes(part))
    if length is not None and size < length:
        raise SizeInvalid(f"{size} bytes came, {length} were announced")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_fresh(row: rows.UploadRow) -> bool:
    return row.offset_bytes == 0 and row.parts == 0 and row.lease is None


def _make(store: BlobStore, location: Location, digest: Digest, data: bytes) -> bool | None:
    """Whether the object was made; None: not under that digest. Blocks."""
    state = hasher(digest.algorithm)
    state.update(data)
    if state.hexdigest() != digest.hex:
        return None
    return store.make(location, data)
