"""Orphans: objects of the store that no row names. Only here a store is listed.

A storage key stands in the row of its upload before the first byte, and moves from row to row within transactions:
upload, blob, doomed. A doomed row goes only after its bytes. So an object whose key no row names *after* the object was
seen, and that is still there after that look, belongs to nobody. What changed within the last hour is left alone all
the same: somebody who lost an upload may still write into its staging for the length of a lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from entrepot.service.storage import Storage
from entrepot.service.verify.finding import Finding
from entrepot.store.blob.base import BlobStore, StoredObject
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.verify import named_keys

YOUNG_SECONDS = 3600
BATCH = 500
OBJECTS = "store"
"""What stands in the place of a table's name for something that no table knows."""


async def find_orphans(database: Database, storage: Storage, now: float) -> list[Finding]:
    """The old objects that no row names; `now` in seconds since 1970."""
    candidates: list[StoredObject] = []
    objects = storage.store.list_objects()
    while batch := await storage.publish(_take, objects):
        named = await database.read(partial(named_keys, storage_keys=[one.storage_key for one in batch]))
        candidates += [one for one in batch if one.storage_key not in named and one.changed_at < now - YOUNG_SECONDS]
    if not candidates:
        return []
    still_there = await storage.publish(_still_there, storage.store, candidates)
    return [
        Finding("object-named", OBJECTS, one.storage_key, f"{one.stored_bytes} bytes that no row names")
        for one in still_there
    ]


def _take(objects: Iterator[StoredObject]) -> list[StoredObject]:
    return list(islice(objects, BATCH))


def _still_there(store: BlobStore, candidates: Iterable[StoredObject]) -> list[StoredObject]:
    """Those that a second look at the store finds too; a key once, whether staged or published."""
    present = {one.storage_key for one in store.list_objects()}
    return list({one.storage_key: one for one in candidates if one.storage_key in present}.values())
