"""Background work of each worker for itself, such as writing down what it noted in memory: what runs how often.

What is to be done once for all workers is a job: `app/job_handler.py`.
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


async def run_periodically(work: Periodic) -> None:
    """Run until cancelled. An error is logged and the work tried again in the next period."""
    while True:
        await asyncio.sleep(work.every_seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - no secret
        try:
            await work.run()
        except Exception:
            log.exception("schedule.failed", work=work.name)


def start(works: Sequence[Periodic]) -> list[asyncio.Task[None]]:
    """Begin all of it."""
    return [asyncio.create_task(run_periodically(work), name=work.name) for work in works]
