"""How long changes wait for their commit: median and 99th percentile, one log line a minute while there are any."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

LOG_SECONDS = 60.0
WAITS_MAX = 100_000
"""Beyond so many in a period only counting goes on."""

log = structlog.get_logger(__name__)


class CommitWaits:
    """The waits of one process, from the change's submission to its answer. Used by one event loop."""

    def __init__(self, log_seconds: float = LOG_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._log_seconds = log_seconds
        self._clock = clock
        self._waits: list[float] = []
        self._count = 0
        self._since = clock()

    def note(self, seconds: float) -> None:
        """A change was answered after so long."""
        self._count += 1
        if len(self._waits) < WAITS_MAX:
            self._waits.append(seconds)
        if self._clock() - self._since >= self._log_seconds:
            self.report()

    def report(self) -> None:
        """Write the line, if there is anything to say, and begin anew."""
        waits, count = sorted(self._waits), self._count
        self._waits, self._count, self._since = [], 0, self._clock()
        if waits:
            p50, p99 = (round(waits[int(len(waits) * share)] * 1000, 2) for share in (0.5, 0.99))
            log.info("commit.waits", count=count, p50_ms=p50, p99_ms=p99, max_ms=round(waits[-1] * 1000, 2))
