"""Stalls of the event loop: a loop that does not come round for a tenth of a second is reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

CHECK_SECONDS = 0.1
STALL_SECONDS = 0.1


def log_stall(seconds: float) -> None:
    """The default report."""
    log.warning("loop.stalled", seconds=round(seconds, 3))


async def watch_loop(report: Callable[[float], None] = log_stall) -> None:
    """Run until cancelled; `report` gets the seconds by which the loop was late."""
    loop = asyncio.get_running_loop()
    while True:
        expected = loop.time() + CHECK_SECONDS
        await asyncio.sleep(CHECK_SECONDS)
        late = loop.time() - expected
        if late > STALL_SECONDS:
            report(late)
