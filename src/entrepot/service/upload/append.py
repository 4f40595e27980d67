"""Appending: take the lease of an upload, stage what a request brings, and make it count.

A loser changes nothing: it wrote pieces of its own, and no row names them.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.error import RangeInvalid, SizeInvalid, UploadNotFound
from entrepot.domain.limit import (
    LAYER_BYTES_MAX,
    LAYER_PART_BYTES_MIN,
    UPLOAD_LEASE_SECONDS,
    UPLOAD_LIFETIME_SECONDS,
)
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.service.context import Context
from entrepot.service.storage import Storage
from entrepot.service.upload.hashes import LiveHashes
from entrepot.service.upload.intake import Body, BodyFailed, Intake, Received
from entrepot.service.upload.ledger import RowLedger
from entrepot.service.upload.row import location_of, micros_after, not_found, segments_of, tail_of
from entrepot.store.blob.base import StagingGone, append_name
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database


class Appender:
    """The steps of an append, in order: check_whole, lease, receive, acknowledge."""

    def __init__(self, database: Database, context: Context, storage: Storage, hashes: LiveHashes) -> None:
        self._database = database
        self._context = context
        self._storage = storage
        self._hashes = hashes

    async def check_whole(self, row: rows.UploadRow) -> None:
        """Look whether what is acknowledged is still there, unless this worker wrote it.

        A loss of power takes what was not fsynced; 202 does not promise to survive that.

        Raises:
            UploadNotFound: bytes are missing.
        """
        if self._hashes.knows(row.id, row.offset_bytes):
            return
        pieces = await segments_of(self._database, row)
        if tail := tail_of(row, await location_of(self._storage, row)):
            pieces.append(tail)
        if not await self._storage.write(self._storage.store.is_whole, row.storage_key, pieces):
            raise not_found(row)
        self._hashes.remember(row.id, row.offset_bytes, None)

    async def lease(
        self, registry: Registry, name: RepositoryName, upload_id: str, start: int | None
    ) -> tuple[rows.UploadRow, str]:
        """Become the writer of an upload; whoever wrote before will not be acknowledged.

        Raises:
            RangeInvalid: it does not stand at `start`; nobody lost the lease.
            UploadNotFound
        """
        lease = self._context.random_bytes(16).hex()
        lease_end, end = (
            micros_after(self._context, UPLOAD_LEASE_SECONDS),
            micros_after(self._context, UPLOAD_LIFETIME_SECONDS),
        )

        def change(connection: Connection) -> rows.UploadRow:
            is_taken = rows.take_lease(connection, upload_id, start, lease, lease_end, end)
            row = rows.find_upload(connection, upload_id)
            if row is None:
                raise UploadNotFound(registry, name, upload_id)
            if not is_taken:
                raise RangeInvalid(upload_id, row.offset_bytes)
            return row

        return await self._database.write(change, is_durable=False, is_short=True), lease

    async def receive(self, row: rows.UploadRow, lease: str, body: Body, length: int | None) -> Received:
        """Stage a body. What came of one that broke off is acknowledged before its error goes on.

        Raises:
            SizeInvalid: shorter or longer than `length`, or more than a layer may have.
            StorageFull, UploadNotFound
        """
        if length is not None and row.offset_bytes + length > LAYER_BYTES_MAX:
            raise SizeInvalid(f"a layer has at most {LAYER_BYTES_MAX} bytes")
        self._storage.store.check_room()
        location = await location_of(self._storage, row)
        state = self._hashes.resume(row.id, row.offset_bytes, row.algorithm)
        ledger = RowLedger(self._database, self._context, row, lease=lease)
        tail, name = tail_of(row, location), append_name(row.appends)
        begin = partial(self._storage.store.append, location, row.offset_bytes, tail, name, ledger)
        intake = Intake(self._storage, begin, state, row.offset_bytes, length)
        try:
            try:
                await intake.take(body)
            except BodyFailed as failed:
                await self.acknowledge(row, lease, await intake.finish())
                raise failed.error from None
            return await intake.finish()
        except (StagingGone, BlobDamaged) as error:
            raise not_found(row) from error
        finally:
            await intake.close()

    async def acknowledge(self, row: rows.UploadRow, lease: str, received: Received) -> int:
        """Make what was received count, if the lease still does; the new offset.

        Raises:
            RangeInvalid, UploadNotFound: it does not any more.
        """
        if not received.size_bytes:
            return row.offset_bytes
        appended, digest = received.appended, received.digest
        is_short_before = row.parts > 0 and row.last_part_bytes < LAYER_PART_BYTES_MIN
        progress = rows.Progress(
            appended.size_bytes,
            str(digest) if digest else None,
            appended.tail.name if appended.tail else None,
            appended.size_bytes % row.frame_bytes if appended.tail else 0,
            received.size_bytes,
            row.has_short_part or is_short_before,
            micros_after(self._context, UPLOAD_LIFETIME_SECONDS),
        )
        segments = [rows.SegmentRow(piece.name, piece.stored_bytes, piece.etag) for piece in appended.segments]
        replaced = [piece.name for piece in appended.replaced]

        def change(connection: Connection) -> None:
            if not rows.commit_append(connection, row, lease, progress, segments, replaced):
                now = rows.find_upload(connection, row.id)
                raise not_found(row) if now is None else RangeInvalid(row.id, now.offset_bytes)

        await self._database.write(change, is_durable=False, is_short=True)  # as its bytes, in the page cache
        self._hashes.remember(row.id, appended.size_bytes, received.state)
        await self._storage.remove_pieces(row.storage_key, [*replaced, *([row.tail] if row.tail else [])])
        return appended.size_bytes
