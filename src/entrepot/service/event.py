"""Events: recorded in the transaction of the change, purged by age."""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.event import Event
from entrepot.domain.limit import EVENT_RETENTION_SECONDS
from entrepot.service.context import Context
from entrepot.store.metadata import event as rows
from entrepot.store.metadata.base import Database

PURGE_BATCH = 500
_MICROS = 1_000_000


def record(connection: Connection, registry_id: int, happened: Event, now_micros: int) -> None:
    """Keep an event: it exists exactly if the transaction of `connection` commits."""
    rows.insert_event(connection, registry_id, happened, now_micros)


class EventService:
    """What a worker does about old events."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def purge(self) -> int:
        """Delete the events beyond their retention in small transactions; how many went."""
        before = self._context.now_micros() - EVENT_RETENTION_SECONDS * _MICROS
        total = 0
        while True:
            gone = await self._database.write(lambda connection: rows.delete_events(connection, before, PURGE_BATCH))
            total += gone
            if gone < PURGE_BATCH:
                return total
