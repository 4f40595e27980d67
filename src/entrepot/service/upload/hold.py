"""The right to publish an upload in a store that several machines share: a lease in its row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrepot.domain.error import Throttled
from entrepot.domain.limit import PUBLISH_HOLD_SECONDS
from entrepot.service.context import Context
from entrepot.service.storage import HOLD_POLL_SECONDS, HOLD_SECONDS, Storage
from entrepot.service.upload.row import micros_after
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database

POLLS_GROW = 1.5
POLL_SECONDS_MAX = 1.0


@asynccontextmanager
async def publishing(
    database: Database, context: Context, storage: Storage, row: rows.UploadRow
) -> AsyncIterator[str | None]:
    """Be the only one who publishes an upload; yields what proves it to the row, None where a local lock does.

    A holder that died is waited for until its lease has run out; one that is slow renews it at each step that
    another publisher could hurt. An upload that is gone is nobody's: the caller finds that out.

    Raises:
        Throttled: another one keeps it for long.
    """
    async with storage.hold(row.storage_key):
        if not storage.store.is_shared:
            yield None
            return
        publisher = context.random_bytes(16).hex()
        await _take(database, context, row.id, publisher)
        try:
            yield publisher
        except BaseException:
            await database.write(lambda connection: rows.release_publishing(connection, row.id, publisher))
            raise  # when all went well the row is gone, and the right with it


async def _take(database: Database, context: Context, upload_id: str, publisher: str) -> None:
    deadline, pause = time.monotonic() + HOLD_SECONDS, HOLD_POLL_SECONDS
    while True:
        now, until = context.now_micros(), micros_after(context, PUBLISH_HOLD_SECONDS)
        if await database.write(
            lambda connection: rows.hold_publishing(connection, upload_id, publisher, now, until)  # noqa: B023 - awaited
        ):
            return
        if time.monotonic() > deadline:
            raise Throttled
        await asyncio.sleep(pause)
        pause = min(pause * POLLS_GROW, POLL_SECONDS_MAX)
