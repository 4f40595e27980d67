"""Tables of what runs beside requests: jobs, events, holds, maintenance, and rows set aside."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from entrepot.store.metadata.schema.account import registry
from entrepot.store.metadata.schema.base import Long, Name, metadata, row_id

collection_hold = Table(
    "collection_hold",
    metadata,
    Column("id", Name, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("created_at", Long, nullable=False),
    Column("expires_at", Long, nullable=False),
)

maintenance = Table(
    "maintenance",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1; there is a row while clients may not write
    Column("reason", Text, nullable=False),
    Column("begun_at", Long, nullable=False),
)

set_aside_row = Table(
    "set_aside_row",
    metadata,
    row_id(),
    Column("table_name", Name, nullable=False),
    Column("content", Text, nullable=False),  # JSON object of the row; bytes as {"base64": …}
    Column("reason", Text, nullable=False),
    Column("set_aside_at", Long, nullable=False),
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    row_id(),
    Column("registry_id", Long, ForeignKey(registry.c.id), nullable=False),
    Column("kind", Name, nullable=False),
    Column("repository", Name, nullable=False),
    Column("details", Text, nullable=False),  # JSON object
    Column("occurred_at", Long, nullable=False),
    Index(None, "occurred_at"),
    sqlite_autoincrement=True,
)

job = Table(
    "job",
    metadata,
    row_id(),
    Column("kind", Name, nullable=False),
    Column("arguments", Text, nullable=False),  # JSON object
    Column("unique_key", Name),  # a second job of the same key is not made
    Column("state", Name, nullable=False),  # pending, running, done, dead
    Column("due_at", Long),  # when it may be taken: its time, or the end of its lease; NULL when it is over
    Column("attempts", Integer, nullable=False),  # since it was made or tried again by hand
    Column("attempts_max", Integer, nullable=False),
    Column("owner", Name),  # the worker that has it, or had it last
    Column("fence", Long, nullable=False),  # raised by each claim
    Column("created_at", Long, nullable=False),
    Column("started_at", Long),
    Column("finished_at", Long),
    Column("error", Text),  # of the last failure, one bounded line
    Column("result", Text),  # JSON object
    UniqueConstraint("unique_key"),
    Index(None, "due_at"),
    Index(None, "state", "kind", "id"),  # state first, or SQLite looks for due jobs here, kind by kind
    sqlite_autoincrement=True,
)
