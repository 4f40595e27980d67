"""Last pull times: noted in memory by requests, written now and then by a worker.

Spec: ECR API, ImageDetail, lastRecordedPullTime: refreshed at least once every 24 hours, not on every pull.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from entrepot.domain.limit import PULL_TIME_REFRESH_SECONDS
from entrepot.service.context import Context
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.image import record_pulls
from entrepot.store.metadata.maintenance import own

FLUSH_SECONDS = 60
BATCH = 500
PENDING_MAX = 100_000
_MICROS = 1_000_000


class PullLog:
    """The last pull of each image that was not written yet."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context
        self._pulled_at: dict[int, int] = {}
        self._flushed_at = context.now_micros()

    def record(self, image_id: int) -> None:
        """Note that an image was pulled now. Beyond 100,000 waiting images, new ones are not noted."""
        if len(self._pulled_at) < PENDING_MAX or image_id in self._pulled_at:
            self._pulled_at[image_id] = self._context.now_micros()

    async def flush(self, *, is_final: bool = False) -> int:
        """Write what waits, if 60 s have passed since the last time or this `is_final`; how many images waited.

        What could not be written waits on.
        """
        now = self._context.now_micros()
        if not is_final and now - self._flushed_at < FLUSH_SECONDS * _MICROS:
            return 0
        self._flushed_at = now
        waiting = sorted(self._pulled_at.items())
        self._pulled_at.clear()
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            try:
                await own(self._database).write(partial(_write, pulls=batch))
            except BaseException:
                self._pulled_at = {**dict(waiting[start:]), **self._pulled_at}
                raise
        return len(waiting)


def _write(connection: Connection, pulls: list[tuple[int, int]]) -> None:
    record_pulls(connection, pulls, PULL_TIME_REFRESH_SECONDS * _MICROS)
