"""The ledger of an upload: what a store asks its row for, from a pool thread, while it stages or publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy import Connection

from entrepot.domain.error import RangeInvalid, Throttled
from entrepot.domain.limit import PUBLISH_HOLD_SECONDS
from entrepot.service.context import Context
from entrepot.service.upload.row import micros_after, not_found, segments_of
from entrepot.store.blob.base import Reserved, Segment
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database

T = TypeVar("T")


class RowLedger:
    """A `Ledger` of one upload, made on the event loop, for whoever holds `lease` or `publisher` of its row."""

    def __init__(
        self,
        database: Database,
        context: Context,
        row: rows.UploadRow,
        *,
        lease: str | None = None,
        publisher: str | None = None,
    ) -> None:
        self._database, self._context, self._row = database, context, row
        self._lease, self._publisher = lease, publisher
        self._loop = asyncio.get_running_loop()

    def segments(self) -> list[Segment]:
        return self._ask(segments_of(self._database, self._row))

    def reserve(self, parts: int, multipart: str | None = None) -> Reserved:
        until = micros_after(self._context, PUBLISH_HOLD_SECONDS)

        def change(connection: Connection) -> Reserved:
            ours = rows.Right(self._row.id, self._lease, self._publisher)
            found = rows.reserve_parts(connection, ours, parts, multipart, until)
            if found is None:
                raise self._lost(connection)
            last, named = found
            return Reserved(last - parts + 1, named)

        return self._ask(self._database.write(change))

    def _lost(self, connection: Connection) -> Exception:
        now = rows.find_upload(connection, self._row.id)
        if now is None:
            return not_found(self._row)
        return Throttled() if self._publisher else RangeInvalid(now.id, now.offset_bytes)

    def _ask(self, answer: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result()
