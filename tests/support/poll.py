"""Wait for something to become true, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(probe: Callable[[], T | None], *, seconds: float = 20, what: str = "the condition") -> T:
    """The first true value of `probe`, asked every 20 ms.

    Raises:
        TimeoutError: none within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds} s")
        time.sleep(0.02)


async def poll_until(probe: Callable[[], Awaitable[T | None]], *, seconds: float = 20) -> T:
    """The first true answer of `probe`, asked every 10 ms while the event loop goes on.

    Raises:
        TimeoutError: none within `seconds`.
    """
    async with asyncio.timeout(seconds):
        while True:
            value = await probe()
            if value:
                return value
            await asyncio.sleep(0.01)
