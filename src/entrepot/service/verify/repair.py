"""Repair: what verification found broken is moved aside, so that pushing again brings it back. Nothing is deleted.

A client asks whether a layer is there before it uploads it, and would be told yes as long as the broken one counts.
So a broken blob leaves with the images that it is part of; their other layers are kept for a week, and pushing one of
the images again uploads only what is lost. Rows go first, then bytes: cut off in between, the bytes are an orphan.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from entrepot.service.context import Context
from entrepot.service.storage import Storage
from entrepot.service.verify import Verifier
from entrepot.service.verify.finding import Finding, Key
from entrepot.service.verify.orphan import OBJECTS
from entrepot.store.metadata import relation, verify
from entrepot.store.metadata import set_aside as rows
from entrepot.store.metadata.base import Database

KEPT_MICROS = 7 * 24 * 3600 * 1_000_000
BY_HAND = "not repaired"
GONE = "gone meanwhile"

_OF_BLOBS = frozenset({"blob-bytes", "blob-digest"})
_OF_IMAGES = frozenset({"image-digest", "image-references"})
_OF_SINGLE_ROWS = frozenset({"row-dangling", "tag-target", "doomed-dead"})


class Repairer:
    """Acts on findings, each only if it still stands."""

    def __init__(self, database: Database, context: Context, storage: Storage, verifier: Verifier) -> None:
        self._database, self._context, self._storage, self._verifier = database, context, storage, verifier

    async def repair(self, finding: Finding) -> Finding:
        """The finding with what was done about it."""
        if finding.invariant in _OF_BLOBS | _OF_IMAGES and not await self._verifier.look_again(finding):
            return replace(finding, cured=GONE)
        return replace(finding, cured=await self._cure(finding))

    async def _cure(self, finding: Finding) -> str:
        if finding.invariant in _OF_BLOBS:
            return await self._blob(finding)
        if finding.invariant in _OF_IMAGES:
            return await self._image(finding)
        if finding.invariant in _OF_SINGLE_ROWS:
            return await self._row(finding)
        if finding.table == OBJECTS:
            return await self._object(str(finding.key))
        return await self._mark_garbage() if finding.invariant == "garbage-known" else BY_HAND

    async def _mark_garbage(self) -> str:
        await self._database.write(relation.mark_garbage)
        return "the collector is told"

    async def _blob(self, finding: Finding) -> str:
        blob_id, now = int(finding.key), self._context.now_micros()
        found = await self._database.read(partial(verify.find_blob, key=blob_id))

        def change(connection: Connection) -> int:
            rows.lock_links(connection, blob_id)
            images = [image.id for image in verify.affected_by_blob(connection, blob_id)]
            rows.set_aside_images(connection, images, finding.detail, now, now + KEPT_MICROS)
            rows.set_aside_blob(connection, blob_id, finding.detail, now)
            return len(images)

        images = await self._database.write(change)
        if found is None or found.store != self._storage.store.name:
            return f"{images} images set aside"
        place = await self._storage.publish(self._storage.store.set_aside, found.storage_key)
        return f"{images} images set aside; " + (f"its bytes are in {place}" if place else "there were no bytes")

    async def _image(self, finding: Finding) -> str:
        image_id, now = int(finding.key), self._context.now_micros()

        def change(connection: Connection) -> int:
            images = [image.id for image in verify.affected_by_image(connection, image_id)]
            return rows.set_aside_images(connection, images, finding.detail, now, now + KEPT_MICROS)

        return f"{await self._database.write(change)} images set aside"

    async def _row(self, finding: Finding) -> str:
        now = self._context.now_micros()
        change = partial(
            rows.set_aside_by_key, table_name=finding.table, key=str(finding.key), reason=finding.detail, now=now
        )
        try:
            moved = await self._database.write(change)
        except IntegrityError:
            return f"{BY_HAND}: other rows refer to it"
        return "the row is set aside" if moved else GONE

    async def _object(self, storage_key: Key) -> str:
        if await self._database.read(partial(verify.named_keys, storage_keys=[str(storage_key)])):
            return "named meanwhile"
        place = await self._storage.publish(self._storage.store.set_aside, str(storage_key))
        return f"moved to {place}" if place else GONE
