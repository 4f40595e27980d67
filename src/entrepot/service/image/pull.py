"""Last pull times: noted in memory by requests, written now and then by a worker.

Spec: ECR API, ImageDetail, lastRecordedPullTime: refreshed at least once every 24 hours, not on every pull.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.limit import PULL_TIME_REFRESH_SECONDS
from entrepot.service.context import Context
from entrepot.service.note_log import NoteLog
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.image import record_pulls

_MICROS = 1_000_000


class PullLog(NoteLog[int, int]):
    """The last pull of each image that was not written yet."""

    def __init__(self, database: Database, context: Context) -> None:
        super().__init__(database, context, _write)

    def record(self, image_id: int) -> None:
        """Note that an image was pulled now."""
        self.note(image_id, self._context.now_micros())


def _write(connection: Connection, pulls: list[tuple[int, int]]) -> None:
    record_pulls(connection, pulls, PULL_TIME_REFRESH_SECONDS * _MICROS)
