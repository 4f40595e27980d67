"""Bytes are handed out in order, given back whatever happens, and never for ever waited for."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.domain.error import Throttled
from entrepot.transport.aws import budget
from entrepot.transport.aws.budget import ByteBudget


async def is_free(shared: ByteBudget, size_bytes: int) -> bool:
    try:
        async with asyncio.timeout(0.05), shared.hold(size_bytes):
            return True
    except TimeoutError:
        return False


async def test_what_is_held_comes_back() -> None:
    shared = ByteBudget(10)
    async with shared.hold(6):
        assert await is_free(shared, 4)
        assert not await is_free(shared, 5)
    assert await is_free(shared, 10)


async def test_waiters_get_their_turn_in_order() -> None:
    shared, order = ByteBudget(10), list[int]()

    async def use(size_bytes: int) -> None:
        async with shared.hold(size_bytes):
            order.append(size_bytes)

    async with shared.hold(10):
        tasks = [asyncio.create_task(use(size)) for size in (9, 1, 2)]
        await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(*tasks)

    assert order == [9, 1, 2]
    assert await is_free(shared, 10)


async def test_a_hold_grows_but_never_beyond_the_whole() -> None:
    shared = ByteBudget(10)
    async with shared.hold(4) as hold:
        await hold.grow(3)
        assert hold.held_bytes == 7
        assert not await is_free(shared, 4)
        await hold.grow(1_000)
        assert hold.held_bytes == 10
        await hold.grow(1)
        assert hold.held_bytes == 10
    assert await is_free(shared, 10)


async def test_more_than_the_whole_is_the_whole() -> None:
    shared = ByteBudget(10)
    async with shared.hold(11) as hold:
        assert hold.held_bytes == 10


async def test_waiting_ends_and_leaves_nothing_behind() -> None:
    shared = ByteBudget(10, wait_seconds=0.02)
    async with shared.hold(10):
        with pytest.raises(Throttled):
            async with shared.hold(1):
                pass
    assert await is_free(shared, 10)


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    shared = ByteBudget(10)
    async with shared.hold(10):
        for _ in range(3):
            assert not await is_free(shared, 5)
    assert await is_free(shared, 10)


async def test_a_waiter_cancelled_in_the_moment_of_its_turn_gives_back() -> None:
    shared = ByteBudget(10)

    async def use() -> None:
        async with shared.hold(5):
            pass

    async with shared.hold(10):
        task = asyncio.create_task(use())
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await is_free(shared, 10)


async def test_a_crowd_is_turned_away_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "WAITERS_MAX", 0)
    shared = ByteBudget(10)
    async with shared.hold(10):
        with pytest.raises(Throttled):
            async with shared.hold(1):
                pass
