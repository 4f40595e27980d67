"""Recording: bytes that are published under an upload's key become the blob of their digest, or another's stays it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.digest import Digest
from entrepot.domain.error import Throttled
from entrepot.domain.limit import UPLOAD_LEASE_SECONDS
from entrepot.domain.promise import BlobPromise
from entrepot.service.context import Context
from entrepot.service.link_key import link_key_for
from entrepot.service.repository_key import RepositoryKeys
from entrepot.service.upload.row import micros_after
from entrepot.store.blob.base import Staging
from entrepot.store.metadata import blob as blobs
from entrepot.store.metadata import link_key as link_keys
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.doomed import doom

LINK_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records blobs within transactions."""

    context: Context
    keys: RepositoryKeys
    promise: BlobPromise

    def record(self, connection: Connection, row: rows.UploadRow, digest: Digest, size_bytes: int) -> tuple[bool, bool]:
        """Have the repository hold the blob; whether the blob has our bytes, and whether it did not hold it before.

        Raises:
            SealClosed: for use with `RepositoryKeys.with_open`.
            Throttled: another's blob was collected between two statements, again and again.
        """
        now = self.context.now_micros()
        blob_id, is_ours, link_key = self._insert_or_hold(connection, row, digest, size_bytes, now)
        keep_until = self.promise.keep_until(now)
        return is_ours, blobs.link_blob(connection, row.repository_id, blob_id, now, keep_until, link_key)

    def _insert_or_hold(
        self, connection: Connection, row: rows.UploadRow, digest: Digest, size_bytes: int, now: int
    ) -> tuple[int, bool, bytes | None]:
        """The blob of that digest, ours (True) or the first, kept until the commit, and its link key."""
        place = (row.storage_key, row.store, row.format, row.frame_bytes, row.wrapped_key)
        new = blobs.NewBlob(row.domain_id, digest, size_bytes, *place, now)
        for _ in range(LINK_ATTEMPTS):
            made = blobs.insert_blob(connection, new)
            if made is not None:
                return made, True, row.link_key
            first = blobs.hold_blob(connection, row.domain_id, digest)
            if first is None:
                continue
            if row.seal is None:
                return first, False, None
            link_key = link_key_for(connection, self.context, self.keys, row.seal, first)
            if link_key is not None:
                return first, False, link_key
            self._replace_lost(connection, first)
        raise Throttled

    def _replace_lost(self, connection: Connection, blob_id: int) -> None:
        """Remove a blob that waits for the collector: with its last holder its key went."""
        link_keys.lock_blob(connection, blob_id)
        lost = link_keys.delete_unheld_blob(connection, blob_id)
        if lost is not None:
            doom(connection, Staging(lost[0]), lost[1], micros_after(self.context, UPLOAD_LEASE_SECONDS))
