"""Stalls: a blocked loop is told of, an idle one is not."""

from __future__ import annotations

import asyncio
import threading

from entrepot.app.stall import CHECK_SECONDS, STALL_SECONDS, watch_loop


async def test_a_blocked_loop_is_reported() -> None:
    reported: asyncio.Queue[float] = asyncio.Queue()
    task = asyncio.create_task(watch_loop(reported.put_nowait))
    await asyncio.sleep(0)
    threading.Event().wait(CHECK_SECONDS + 2 * STALL_SECONDS)  # blocks the loop: that is the point
    late = await asyncio.wait_for(reported.get(), 5)
    assert late > STALL_SECONDS
    task.cancel()
