"""Transfers that stand still, with a clock that is turned by hand."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from entrepot.transport.watchdog import Watchdog


class Transfer:
    def __init__(self) -> None:
        self.moved = 0
        self.waiting = True
        self.aborted = False

    def moved_bytes(self) -> int:
        return self.moved

    def is_waiting(self) -> bool:
        return self.waiting

    def abort(self) -> None:
        self.aborted = True


class Clock:
    """An event loop's clock and timers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        self.timers.append((self.now + delay, callback))
        return object()

    def turn(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= end]:
            timer = min(due, key=lambda item: item[0])
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = end


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return clock


def test_standing_still_ends_the_connection(clock: Clock) -> None:
    dog, still, moving, busy = Watchdog(60), Transfer(), Transfer(), Transfer()
    busy.waiting = False
    for transfer in (still, moving, busy):
        dog.watch(transfer)
    for _ in range(59):
        clock.turn(1)
        moving.moved += 1
    assert not still.aborted
    for _ in range(20):
        clock.turn(1)
        moving.moved += 1
    assert (still.aborted, moving.aborted, busy.aborted) == (True, False, False)


def test_progress_starts_the_wait_again(clock: Clock) -> None:
    dog, transfer = Watchdog(60), Transfer()
    dog.watch(transfer)
    clock.turn(50)
    transfer.moved = 1
    clock.turn(50)
    assert not transfer.aborted
    clock.turn(61)
    assert transfer.aborted


def test_no_timer_without_transfers(clock: Clock) -> None:
    dog, transfer = Watchdog(60), Transfer()
    dog.watch(transfer)
    dog.forget(transfer)
    dog.forget(transfer)
    clock.turn(100)
    assert clock.timers == []
    dog.watch(transfer)
    assert len(clock.timers) == 1
