"""Events: rows of what happened, written with the change and purged by age."""

from __future__ import annotations

import json

from sqlalchemy import Connection, delete, insert, select

from entrepot.domain.event import Event
from entrepot.store.metadata.schema import event
from entrepot.store.metadata.statement import Statement, parameters_of

_INSERT = Statement(insert(event).values(parameters_of(event, "id")))


def insert_event(connection: Connection, registry_id: int, happened: Event, now_micros: int) -> None:
    """Keep an event. `details` is stored as a JSON object such as `{"digest": "sha256:…", "tag": "v1"}`."""
    values = {
        "registry_id": registry_id,
        "kind": happened.kind.value,
        "repository": happened.repository,
        "details": json.dumps(happened.details, separators=(",", ":")),
        "occurred_at": now_micros,
    }
    _INSERT.change(connection, values)


def delete_events(connection: Connection, before_micros: int, limit: int) -> int:
    """Delete at most `limit` of the events older than `before_micros`, oldest first; how many went."""
    old = select(event.c.id).where(event.c.occurred_at < before_micros).order_by(event.c.occurred_at).limit(limit)
    return connection.execute(delete(event).where(event.c.id.in_(old.scalar_subquery()))).rowcount
