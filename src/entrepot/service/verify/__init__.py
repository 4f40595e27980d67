"""Verification: every invariant of `docs/design/invariants.md` looked at, beside a running server or without one.

Rows are walked by their id in pages. What looks wrong is read again and looked at again until it is either right,
gone, or the same before and after the look: so nothing is reported that only changed meanwhile. A walk can go on
where an earlier one was cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Table

from entrepot.domain.key import SealBroken
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.storage import Storage
from entrepot.service.verify.content import ContentCheck, Fault
from entrepot.service.verify.finding import Finding, Key, PushAgain
from entrepot.service.verify.image import check_image
from entrepot.service.verify.orphan import find_orphans
from entrepot.store.metadata import relation, sealed, verify
from entrepot.store.metadata.base import Database, Query
from entrepot.store.metadata.schema import blob, manifest, upload

LOOKS = 5
"""How often a row that changes under our eyes is looked at; then it is in use and well."""

STAGES = ("relations", "keys", "images", "blobs", "uploads", "objects")


@dataclass(slots=True)
class Progress:
    """How far a verification came: all that another process needs to go on."""

    stage: str = STAGES[0]
    after: Key | None = None
    """Everything up to this row of the stage has been looked at."""
    done: int = 0
    """Rows of the stage."""
    total: int = 0
    findings: list[Finding] = field(default_factory=list)


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class _Walk:
    """A table that is walked: how its rows are read, and what is looked at in each."""

    table: Table
    first: Key
    page: Callable[..., Sequence[Any]]
    find: Callable[..., Any]
    look: Callable[[Any], AsyncIterator[Fault]]
    rows: int


class Verifier:
    """One verification. `with_digests` reads every byte; `with_objects` lists the store."""

    def __init__(
        self,
        database: Database,
        context: Context,
        keys: KeyService,
        storage: Storage,
        *,
        with_digests: bool = False,
        with_objects: bool = False,
    ) -> None:
        self._database, self._context, self._keys, self._storage = database, context, keys, storage
        self._with_objects = with_objects
        content = ContentCheck(storage, with_digests=with_digests)
        self._walks = {
            "images": _Walk(manifest, 0, verify.page_images, verify.find_image, _look_at_image, 100),
            "blobs": _Walk(blob, 0, verify.page_blobs, verify.find_blob, content.check_blob, 32),
            "uploads": _Walk(upload, "", verify.page_uploads, verify.find_upload, content.check_upload, 100),
        }

    async def run(self, progress: Progress, on_progress: OnProgress) -> list[Finding]:
        """Look at everything that `progress` does not have behind it; it is told after every page."""
        for stage in STAGES[STAGES.index(progress.stage) :]:
            if stage != progress.stage:
                progress.stage, progress.after, progress.done, progress.total = stage, None, 0, 0
            await self._stage(stage, progress, on_progress)
        return progress.findings

    async def look_again(self, finding: Finding) -> bool:
        """Whether what was found in a walked row still stands: for those who are about to act on it."""
        walk = next((walk for walk in self._walks.values() if walk.table.name == finding.table), None)
        row = await self._database.read(partial(walk.find, key=finding.key)) if walk else None
        if walk is None or row is None:
            return False
        return any(found.invariant == finding.invariant for found in await self._settled(walk, row))

    async def _stage(self, stage: str, progress: Progress, on_progress: OnProgress) -> None:
        if stage in self._walks:
            await self._walk(self._walks[stage], progress, on_progress)
            return
        checks: dict[str, Callable[[], Awaitable[list[Finding]]]] = {
            "relations": self._check_relations,
            "keys": self._check_keys,
            "objects": self._check_objects,
        }
        progress.findings += await checks[stage]()
        progress.done = progress.total = 1
        on_progress(progress)

    async def _check_relations(self) -> list[Finding]:
        faults = await self._database.read(relation.database_faults)
        found = [Finding("database-whole", "", 0, fault) for fault in faults]
        for one in relation.relations():
            keys = await self._database.read(partial(relation.broken, relation=one))
            found += [Finding(one.invariant, one.table.name, "/".join(map(str, key)), one.detail) for key in keys]
        return found

    async def _check_keys(self) -> list[Finding]:
        values = await self._database.read(partial(sealed.list_sealed, is_locked=False))
        broken = [value for value in values if not self._opens(value)]
        return [Finding("key-opens", one.table, one.key, f"{one.purpose} does not open") for one in broken]

    async def _check_objects(self) -> list[Finding]:
        if not self._with_objects:
            return []
        return await find_orphans(self._database, self._storage, self._context.now().timestamp())

    def _opens(self, value: sealed.SealedValue) -> bool:
        try:
            self._keys.unseal(value.purpose, value.sealed, value.subject)
        except SealBroken:
            return False
        return True

    # ── walks ────────────────────────────────────────────────────────────────────────────────

    async def _walk(self, walk: _Walk, progress: Progress, on_progress: OnProgress) -> None:
        progress.total = await self._database.read(partial(verify.count_rows, table=walk.table))
        after = walk.first if progress.after is None else progress.after
        while rows := await self._database.read(partial(walk.page, after=after, limit=walk.rows)):
            for found in await asyncio.gather(*(self._settled(walk, row) for row in rows)):
                progress.findings += found
            progress.after = after = rows[-1].id
            progress.done += len(rows)
            on_progress(progress)

    async def _settled(self, walk: _Walk, row: Any) -> list[Finding]:
        """What is wrong with a row that did not change while it was looked at."""
        for _ in range(LOOKS):
            faults = [fault async for fault in walk.look(row)]
            if not faults:
                return []
            again = await self._database.read(partial(walk.find, key=row.id))
            if again is None:
                return []
            if again == row:
                lost = await self._push_again(walk.table, row)
                return [Finding(name, walk.table.name, row.id, detail, lost) for name, detail in faults]
            row = again
        return []

    async def _push_again(self, table: Table, row: Any) -> tuple[PushAgain, ...]:
        affected: dict[str, Query[list[verify.AffectedImage]]] = {
            "manifest": partial(verify.affected_by_image, image_id=row.id),
            "blob": partial(verify.affected_by_blob, blob_id=row.id),
        }
        if table.name not in affected:
            return ()
        lost = (row.digest,) if table is blob else ()
        return tuple(
            PushAgain(
                image.account_id,
                image.region,
                image.repository,
                image.digest,
                image.tags,
                lost if image.is_direct else (),
            )
            for image in await self._database.read(affected[table.name])
        )


async def _look_at_image(image: verify.ImageFacts) -> AsyncIterator[Fault]:
    for fault in check_image(image):
        yield fault
