"""Garbage collection: what no image and no promise keeps is removed, while pushes and pulls go on.

In two stages, each in transactions of bounded size. A link of a repository that no manifest references goes when its
promise is over. A blob that no repository holds goes with its last link: its row is removed, and its storage key is
doomed in the same transaction, so that the sweep removes the bytes. What is cut off is done again by the next run; runs
may overlap.

Spec: docs/design/garbage.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from entrepot.domain.limit import COLLECTION_BATCH, UPLOAD_LEASE_SECONDS
from entrepot.domain.promise import DEFAULT_PROMISE, BlobPromise
from entrepot.service.context import Context
from entrepot.store.metadata import collection_hold, garbage
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.garbage import Survey

READERS_SECONDS: Final = UPLOAD_LEASE_SECONDS
"""How long bytes outlive their row, for those who read them: no longer than a promise, where that is shorter."""
_MICROS: Final = 1_000_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run, or one transaction of it, removed."""

    links: int = 0
    blobs: int = 0
    size_bytes: int = 0
    """Plain bytes of those blobs; the sweep frees them."""
    is_held: bool = False
    """Whether a hold, of a backup for instance, or maintenance ended the run early."""
    is_over: bool = False
    """Whether there was no more to look at."""

    def __add__(self, other: Collected) -> Collected:
        return Collected(
            self.links + other.links,
            self.blobs + other.blobs,
            self.size_bytes + other.size_bytes,
            other.is_held,
            other.is_over,
        )


class GarbageService:
    """The collector of every registry of this server."""

    def __init__(self, database: Database, context: Context, *, promise: BlobPromise = DEFAULT_PROMISE) -> None:
        self._database, self._context, self._promise = database, context, promise

    async def survey(self) -> Survey:
        """What a run would remove now. Changes nothing."""
        now = self._context.now_micros()
        return await self._database.read(lambda connection: garbage.survey(connection, now))

    async def collect(self, on_progress: Callable[[Collected], None] = lambda _: None) -> Collected:
        """Remove all that is garbage now; `on_progress` hears what is done so far after each transaction."""
        now = self._context.now_micros()
        not_before = now + min(READERS_SECONDS, self._promise.seconds) * _MICROS
        done = Collected()
        for stage in (partial(collect_links, now=now), partial(collect_blobs, now=now, not_before=not_before)):
            batch = Collected()
            while not (batch.is_over or batch.is_held):
                batch = await self._database.write(stage)
                done += batch
                on_progress(done)
        if done.blobs or done.links or done.is_held:
            log.info("garbage.collected", **asdict(done))
        return done


def collect_links(connection: Connection, now: int) -> Collected:
    """One transaction of the first stage: links whose promise is over."""
    if collection_hold.is_paused(connection, now):
        return Collected(is_held=True)
    claimed = garbage.claim_due_links(connection, now, COLLECTION_BATCH)
    referenced = garbage.referenced_among(connection, claimed)
    unreferenced = [link for link in claimed if link not in referenced]
    garbage.settle(connection, sorted(referenced))
    garbage.remove_links(connection, unreferenced)
    return Collected(links=len(unreferenced), is_over=len(claimed) < COLLECTION_BATCH)


def collect_blobs(connection: Connection, now: int, not_before: int) -> Collected:
    """One transaction of the second stage: blobs that lost a link; their bytes may go from `not_before` on."""
    if collection_hold.is_paused(connection, now):
        return Collected(is_held=True)
    claimed = garbage.claim_loose_blobs(connection, COLLECTION_BATCH)
    linked = garbage.linked_among(connection, claimed)
    unlinked = [blob_id for blob_id in claimed if blob_id not in linked]
    garbage.hold_fast(connection, sorted(linked))
    size_bytes = garbage.remove_blobs(connection, unlinked, not_before)
    return Collected(blobs=len(unlinked), size_bytes=size_bytes, is_over=len(claimed) < COLLECTION_BATCH)
