"""Publishing: the bytes of an upload become a blob that its repository holds, or nothing changes.

Only one at a time publishes a key, over all workers, and looks at the row again before it joins anything: so nobody
who was slow writes into a file that is a blob already.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.digest import Digest, hasher
from entrepot.domain.error import LayerDigestMismatch, RangeInvalid, UploadNotFound
from entrepot.domain.limit import MIB, UPLOAD_LEASE_SECONDS
from entrepot.domain.promise import BlobPromise
from entrepot.service.context import Context
from entrepot.service.storage import Storage
from entrepot.service.upload.hold import publishing
from entrepot.service.upload.intake import Received
from entrepot.service.upload.ledger import RowLedger
from entrepot.service.upload.record import Recorder
from entrepot.service.upload.row import location_of, not_found, registry_of, segments_of, tail_of
from entrepot.store.blob.base import BlobStore, Location, Segment, Staging
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.doomed import doom
from entrepot.store.metadata.repository_key import get_repository_key

HASH_BYTES = MIB
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class LastBytes:
    """What the request that completes an upload brought itself: staged under its lease, not yet acknowledged."""

    lease: str
    offset: int
    """Where they begin."""
    received: Received


@dataclass(frozen=True, slots=True)
class _Whole:
    """An upload with everything that belongs to the blob."""

    row: rows.UploadRow
    lease: str | None
    segments: list[Segment]
    tail: Segment | None
    size_bytes: int
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class _Published:
    """What publishing came to."""

    is_new: bool
    """Whether the repository did not hold the blob before."""
    is_ours: bool
    """Whether the blob has the bytes of this upload, not those of a faster one."""
    appends: int
    """How many the upload had: they name what is staged."""


class Publisher:
    """Turns uploads into blobs."""

    def __init__(self, database: Database, context: Context, storage: Storage, promise: BlobPromise) -> None:
        self._database = database
        self._context = context
        self._recorder = Recorder(context, storage.repository_keys, promise)
        self._storage = storage

    async def publish(self, row: rows.UploadRow, digests: list[Digest], last: LastBytes | None = None) -> bool:
        """Verify that the bytes have all `digests` and make them a blob under the first.

        Returns whether the repository did not hold that blob before. The blob is durable on return and the upload
        has ended; after any error it stands where it stood.

        Raises:
            LayerDigestMismatch: one of the digests is wrong.
            UploadNotFound: it ended meanwhile, or acknowledged bytes are gone.
            RangeInvalid: somebody appended meanwhile.
        """
        key = row.storage_key
        try:
            async with publishing(self._database, self._context, self._storage, row) as publisher:
                published = await self._publish_held(row, publisher, digests, last)
        except UploadNotFound:
            # The row is gone and its staging doomed: waiting for it has only made the directory again. But where the
            # row stands and bytes are missing, only the sweeper removes.
            if await self._database.lookup(lambda connection: rows.find_upload(connection, row.id)) is None:
                await self._storage.discard(Staging(key))
            raise
        remove = self._storage.discard if published.is_ours else self._storage.delete
        await remove(Staging(key, published.appends))
        return published.is_new

    async def _publish_held(
        self, row: rows.UploadRow, publisher: str | None, digests: list[Digest], last: LastBytes | None
    ) -> _Published:
        whole = await self._gather(row, last)
        unknown = [digest for digest in digests if not _is_known(whole, digest)]
        location = await location_of(self._storage, whole.row)
        ledger = RowLedger(self._database, self._context, whole.row, publisher=publisher)
        join = self._storage.store.publish
        try:
            is_ours = await self._storage.publish(join, location, whole.segments, whole.tail, ledger)
            for digest in unknown if is_ours else digests:
                await self._verify(whole, location, digest, is_ours=is_ours)
        except BlobDamaged as error:
            raise not_found(whole.row) from error
        return await self._storage.repository_keys.with_open(
            lambda: self._database.write(lambda connection: self._record(connection, whole, digests[0]), is_short=True)
        )

    async def _gather(self, row: rows.UploadRow, last: LastBytes | None) -> _Whole:
        """Read the row again, now that nobody else publishes, and put together what the blob consists of."""
        fresh = await self._database.lookup(lambda connection: rows.find_upload(connection, row.id))
        if fresh is None:
            raise not_found(row)
        segments = await segments_of(self._database, fresh)
        if last is None:
            tail = tail_of(fresh, await location_of(self._storage, fresh))
            digest = Digest.parse(fresh.digest) if fresh.digest else None
            return _Whole(fresh, None, segments, tail, fresh.offset_bytes, digest)
        if fresh.lease != last.lease or fresh.offset_bytes != last.offset:
            raise RangeInvalid(fresh.id, fresh.offset_bytes)
        appended = last.received.appended
        kept = [segment for segment in segments if segment not in appended.replaced]
        segments = [*kept, *appended.segments]
        return _Whole(fresh, last.lease, segments, appended.tail, appended.size_bytes, last.received.digest)

    async def _verify(self, whole: _Whole, location: Location, digest: Digest, *, is_ours: bool) -> None:
        """Read the object again and hash it. One that another attempt made of other bytes has used the upload up."""
        found = await self._storage.publish(
            hash_object, self._storage.store, location, whole.size_bytes, digest.algorithm
        )
        if found != digest:
            raise _mismatch(whole.row, digest) if is_ours else not_found(whole.row)

    def _record(self, connection: Connection, whole: _Whole, digest: Digest) -> _Published:
        """Move the key from the upload to a blob and link it."""
        row, now = whole.row, self._context.now_micros()
        repository = get_repository_key(connection, registry_of(row), row.repository, is_locked=True)
        if repository.id != row.repository_id:
            raise not_found(row)
        staging = rows.remove_upload(connection, row.id, row.offset_bytes, whole.lease)
        if staging is None:
            raise _lost(connection, row)
        is_ours, is_new = self._recorder.record(connection, row, digest, whole.size_bytes)
        doom(connection, staging, row.store, now + UPLOAD_LEASE_SECONDS * _MICROS, object_stays=is_ours)
        return _Published(is_new, is_ours, staging.appends)


def hash_object(store: BlobStore, location: Location, size_bytes: int, algorithm: str) -> Digest:
    """Read a published object through and hash it. Blocks.

    Raises:
        BlobDamaged: it cannot be read.
    """
    state, buffer = hasher(algorithm), memoryview(bytearray(min(HASH_BYTES, size_bytes)))
    reader = store.open(location, size_bytes)
    try:
        for start in range(0, size_bytes, HASH_BYTES):
            piece = buffer[: size_bytes - start]
            reader.read_into(start, piece, wait=True)
            state.update(piece)
    finally:
        reader.close()
    return Digest(algorithm, state.hexdigest())


def _is_known(whole: _Whole, digest: Digest) -> bool:
    """Whether the digest needs no reading: it was computed on the way, and is right.

    Raises:
        LayerDigestMismatch: it was computed, and is wrong.
    """
    known = Digest.of(b"", digest.algorithm) if whole.size_bytes == 0 else whole.digest
    if known is None or known.algorithm != digest.algorithm:
        return False
    if known != digest:
        raise _mismatch(whole.row, digest)
    return True


def _mismatch(row: rows.UploadRow, digest: Digest) -> LayerDigestMismatch:
    return LayerDigestMismatch(registry_of(row), row.repository, digest)


def _lost(connection: Connection, row: rows.UploadRow) -> UploadNotFound | RangeInvalid:
    now = rows.find_upload(connection, row.id)
    return not_found(row) if now is None else RangeInvalid(row.id, now.offset_bytes)
