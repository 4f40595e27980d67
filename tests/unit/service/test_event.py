"""Events: there exactly if their change is, gone after their time."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Connection

from entrepot.domain.error import Throttled
from entrepot.domain.event import Event, EventKind
from entrepot.domain.limit import EVENT_RETENTION_SECONDS
from entrepot.service.context import Context
from entrepot.service.event import PURGE_BATCH, EventService, record
from entrepot.store.metadata import schema
from tests.support.image import NAME, Shelf
from tests.support.service import Clock

PUSHED = Event(EventKind.IMAGE_PUSHED, NAME, {"digest": "sha256:…", "tag": "v1"})


async def test_an_event_lives_and_dies_with_its_transaction(shelf: Shelf, context: Context) -> None:
    before = len(await shelf.rows(schema.event))

    def fail(connection: Connection) -> None:
        record(connection, 1, PUSHED, 5)
        raise Throttled

    with pytest.raises(Throttled):
        await shelf.database.write(fail)
    assert len(await shelf.rows(schema.event)) == before
    await shelf.database.write(lambda connection: record(connection, 1, PUSHED, 5))
    row = (await shelf.rows(schema.event))[-1]
    assert (row.kind, row.repository, json.loads(row.details), row.occurred_at) == (
        "image.pushed",
        NAME,
        PUSHED.details,
        5,
    )


async def test_old_events_are_purged_in_batches(shelf: Shelf, context: Context, clock: Clock) -> None:
    now = context.now_micros()

    def add(connection: Connection) -> None:
        for number in range(PURGE_BATCH + 3):
            record(connection, 1, PUSHED, now + number)

    await shelf.database.write(add)
    events = EventService(shelf.database, context)
    assert await events.purge() == 0
    clock.forward(seconds=EVENT_RETENTION_SECONDS, microseconds=PURGE_BATCH + 2)
    assert await events.purge() == PURGE_BATCH + 2 + 1  # with the event of the repository's creation
    assert [row.occurred_at for row in await shelf.rows(schema.event)] == [now + PURGE_BATCH + 2]
