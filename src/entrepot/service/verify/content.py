"""Verification of bytes: the object of each blob, and what uploads have staged."""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.digest import Digest
from entrepot.domain.key import SealBroken
from entrepot.domain.key_provider import KeyProviderAway, KeyRefused
from entrepot.service.storage import Storage
from entrepot.service.upload.publish import hash_object
from entrepot.store.blob.base import Format, Location, Segment
from entrepot.store.metadata.verify import BlobFacts, UploadFacts

log = structlog.get_logger(__name__)

Fault = tuple[str, str]
"""The invariant that is broken, and how."""


class ContentCheck:
    """Checks of blobs and uploads. `with_digests` reads every byte."""

    def __init__(self, storage: Storage, *, with_digests: bool) -> None:
        self._storage = storage
        self._with_digests = with_digests

    async def check_blob(self, blob: BlobFacts) -> AsyncIterator[Fault]:
        """Which invariants a blob breaks."""
        if blob.store != self._storage.store.name:
            yield "blob-bytes", f"it is kept in the store {blob.store}, which the settings do not name"
            return
        try:
            place = Location(blob.storage_key, Format(blob.format), blob.frame_bytes)
            await self._storage.publish(self._storage.store.look, place, blob.size_bytes)
            location = await self._find_location(blob)
            if location is None or not self._with_digests:
                return
            algorithm = blob.digest.partition(":")[0]
            found = await self._storage.publish(hash_object, self._storage.store, location, blob.size_bytes, algorithm)
        except BlobDamaged as error:
            yield "blob-bytes", error.detail
        except SealBroken:
            yield "blob-bytes", "its key does not open"
        except OSError as error:
            yield "blob-bytes", f"it cannot be read: {error.strerror}"
        else:
            if found != Digest.parse(blob.digest):
                yield "blob-digest", f"its bytes have the digest {found}"

    async def check_upload(self, upload: UploadFacts) -> AsyncIterator[Fault]:
        """Whether what an upload acknowledged is staged."""
        if upload.store != self._storage.store.name:
            yield "upload-bytes", f"it is kept in the store {upload.store}, which the settings do not name"
            return
        location = Location(upload.storage_key, Format(upload.format), upload.frame_bytes)
        pieces = [Segment(name, stored) for name, stored in upload.segments]
        stored_bytes = sum(piece.stored_bytes for piece in pieces)
        if upload.tail:
            tail = Segment(upload.tail, location.stored_bytes(upload.tail_bytes))
            pieces.append(tail)
            stored_bytes += tail.stored_bytes
        if stored_bytes != location.stored_bytes(upload.offset_bytes):
            yield "upload-bytes", f"its pieces have {stored_bytes} stored bytes, its offset is {upload.offset_bytes}"
        elif not await self._storage.publish(self._storage.store.is_whole, upload.storage_key, pieces):
            yield "upload-bytes", "acknowledged bytes are missing"

    async def _find_location(self, blob: BlobFacts) -> Location | None:
        """Where a blob is, with its keys; None when nobody can read it: its KMS key is off, or nobody has its data key.

        The latter waits for the collector.
        """
        if not blob.is_held and blob.format != Format.PLAIN:
            return None
        try:
            return await self._storage.location(blob)
        except (KeyRefused, KeyProviderAway) as error:
            log.warning("verify.blob_not_read", digest=blob.digest, reason=error.detail)
            return None
