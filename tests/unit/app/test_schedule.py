"""Background work: again and again, whatever happens, and by whom."""

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

    tasks = start([Periodic("test", 0.001, work, is_for_leader=False)], is_leader=False)
    await asyncio.wait_for(enough.wait(), 5)
    await _cancel(tasks)


async def test_the_leader_does_what_is_done_once() -> None:
    async def work() -> None:
        raise AssertionError("too early")

    works = [Periodic("all", 3600, work, is_for_leader=False), Periodic("one", 3600, work, is_for_leader=True)]
    for is_leader, names in ((True, ["all", "one"]), (False, ["all"])):
        tasks = start(works, is_leader=is_leader)
        assert [task.get_name() for task in tasks] == names
        await _cancel(tasks)
