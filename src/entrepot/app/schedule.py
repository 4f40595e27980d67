"""Background work: what runs how often, and in which worker.

Every run is safe to repeat and to run twice at once: after a crash, or on several machines with one database.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)

JITTER = 0.2
"""Periods differ by up to this share, so that workers and machines drift apart."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that comes again."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[object]]
    is_for_leader: bool
    """Only the first worker of a server does it; else each does its own part."""


async def run_periodically(work: Periodic) -> None:
    """Run until cancelled. An error is logged and the work tried again in the next period."""
    while True:
        await asyncio.sleep(work.every_seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - no secret
        try:
            await work.run()
        except Exception:
            log.exception("schedule.failed", work=work.name)


def start(works: Sequence[Periodic], *, is_leader: bool) -> list[asyncio.Task[None]]:
    """Begin the work that falls to this worker."""
    return [
        asyncio.create_task(run_periodically(work), name=work.name)
        for work in works
        if is_leader or not work.is_for_leader
    ]
