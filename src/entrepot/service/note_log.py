"""Notes: what requests note in memory, such as when something was last used; written down now and then by a worker.

A note is about one thing and replaces the one before it, so a thing that is used all the time costs one row a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection

from entrepot.service.context import Context
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.maintenance import own

FLUSH_SECONDS: Final = 60
BATCH: Final = 500
PENDING_MAX: Final = 100_000
_MICROS: Final = 1_000_000

K = TypeVar("K", int, str)
V = TypeVar("V")


class NoteLog(Generic[K, V]):
    """The last note about each thing that was not written yet; `write` gets up to 500 of them, by key."""

    def __init__(
        self, database: Database, context: Context, write: Callable[[Connection, list[tuple[K, V]]], None]
    ) -> None:
        self._database, self._context = database, context
        self._write: Callable[[Connection, list[tuple[K, V]]], None] = write
        self._notes: dict[K, V] = {}
        self._flushed_at = context.now_micros()

    def note(self, key: K, value: V) -> None:
        """Note something. Beyond 100,000 waiting notes, new ones are not taken."""
        if len(self._notes) < PENDING_MAX or key in self._notes:
            self._notes[key] = value

    def find(self, key: K) -> V | None:
        """What waits to be written about a thing."""
        return self._notes.get(key)

    async def flush(self, *, is_final: bool = False) -> int:
        """Write what waits, if 60 s have passed since the last time or this `is_final`; how many notes waited.

        What could not be written waits on.
        """
        now = self._context.now_micros()
        if not is_final and now - self._flushed_at < FLUSH_SECONDS * _MICROS:
            return 0
        self._flushed_at = now
        waiting = sorted(self._notes.items(), key=lambda item: item[0])
        self._notes.clear()
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            try:
                await own(self._database).write(partial(self._write_batch, batch=batch))
            except BaseException:
                self._notes = {**dict(waiting[start:]), **self._notes}
                raise
        return len(waiting)

    def _write_batch(self, connection: Connection, batch: list[tuple[K, V]]) -> None:
        self._write(connection, batch)
