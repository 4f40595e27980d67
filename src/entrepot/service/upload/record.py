"""Recording: bytes that are published under an upload's key become the blob of their digest, or another's stays it."""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.digest import Digest
from entrepot.domain.error import Throttled
from entrepot.store.metadata import blob as blobs
from entrepot.store.metadata import upload as rows

LINK_ATTEMPTS = 3


def insert_or_hold(
    connection: Connection, row: rows.UploadRow, digest: Digest, size_bytes: int, now: int
) -> tuple[int, bool]:
    """The blob of that digest, kept from collection until the commit: ours (True), or the one that was first.

    Raises:
        Throttled: the first one was collected between the two statements, again and again.
    """
    place = (row.storage_key, row.store, row.format, row.frame_bytes, row.wrapped_key)
    new = blobs.NewBlob(row.domain_id, digest, size_bytes, *place, now)
    for _ in range(LINK_ATTEMPTS):
        made = blobs.insert_blob(connection, new)
        if made is not None:
            return made, True
        first = blobs.hold_blob(connection, row.domain_id, digest)
        if first is not None:
            return first, False
    raise Throttled
