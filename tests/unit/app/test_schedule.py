"""Background work: again and again, whatever happens."""

from __future__ import annotations

import asyncio

from entrepot.app.schedule import Periodic, start


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_it_goes_on_after_an_error() -> None:
    runs = 0
    enough = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            enough.set()
        raise RuntimeError("this time not")

    tasks = start([Periodic("test", 0.001, work)])
    await asyncio.wait_for(enough.wait(), 5)
    await _cancel(tasks)
