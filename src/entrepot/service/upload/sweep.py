"""Sweeping: uploads past their time and doomed objects are removed, in batches.

Rows first decide, bytes follow, and the row that names the bytes goes last: whatever is cut off is done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from entrepot.domain.error import StorageUnavailable
from entrepot.domain.limit import UPLOAD_LEASE_SECONDS
from entrepot.service.storage import Storage
from entrepot.store.metadata import collection_hold, doomed
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database

BATCH = 100
_MICROS = 1_000_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one run removed."""

    uploads: int
    objects: int


async def sweep(database: Database, storage: Storage, now: int) -> Swept:
    """Remove everything whose time has come at `now`, in microseconds UTC. Safe to run in parallel."""
    return Swept(await _expire_uploads(database, now), await _remove_objects(database, storage, now))


async def _expire_uploads(database: Database, now: int) -> int:
    uploads, expired = 0, BATCH
    while expired == BATCH:
        expired = await database.write(lambda connection: _expire(connection, now))
        uploads += expired
    return uploads


async def _remove_objects(database: Database, storage: Storage, now: int) -> int:
    """Remove what is doomed. What the store will not let go of is passed by, until the next run."""
    objects, last = 0, None
    while not await database.lookup(lambda connection: collection_hold.is_paused(connection, now)):
        due = await database.read(partial(doomed.list_due, store=storage.store.name, now=now, limit=BATCH, after=last))
        gone = [one.name for one in due if await _remove(storage, one)]
        if gone:
            await database.write(partial(doomed.forget, names=gone))
        objects += len(gone)
        if len(due) < BATCH:
            break
        last = due[-1]
    return objects


def _expire(connection: Connection, now: int) -> int:
    claimed = rows.claim_expired(connection, now, BATCH)
    for upload_id, store in claimed:
        staging = rows.remove_upload(connection, upload_id)
        if staging is not None:
            doomed.doom(connection, staging, store, now + UPLOAD_LEASE_SECONDS * _MICROS)
    return len(claimed)


async def _remove(storage: Storage, one: doomed.Doomed) -> bool:
    """Remove the bytes of a doomed object; False when the store would not, which is tried again."""
    work = storage.store.discard if one.object_stays else storage.store.delete
    try:
        await storage.publish(work, one.staging)
    except (OSError, StorageUnavailable):
        log.exception("sweep.failed", storage_key=one.name)
        return False
    return True
