"""The watchdog: connections on which a transfer stands still are closed.

A slow client is fine for hours, one without progress is not. What counts is movement on the wire while we wait for
the other side; time that our own disk takes is not held against the client.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

STALL_SECONDS = 60.0
CHECKS_PER_STALL = 4


class Transfer(Protocol):
    """A body under way in one direction."""

    def moved_bytes(self) -> int:
        """A number that grows with every byte on the wire."""

    def is_waiting(self) -> bool:
        """Whether it is the other side's turn."""

    def abort(self) -> None:
        """Close the connection at once."""


class Watchdog:
    """Looks at all transfers of one event loop a few times in each stall period; idle without transfers."""

    def __init__(self, stall_seconds: float = STALL_SECONDS) -> None:
        self.stall_seconds = stall_seconds
        self._seen: dict[Transfer, tuple[int, float]] = {}
        """Bytes moved when last looked at, and since when they stand there."""
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, transfer: Transfer) -> None:
        """Begin; `transfer` must be forgotten when it ends."""
        loop = asyncio.get_running_loop()
        self._seen[transfer] = (transfer.moved_bytes(), loop.time())
        if self._timer is None:
            self._timer = loop.call_later(self.stall_seconds / CHECKS_PER_STALL, self._check)

    def forget(self, transfer: Transfer) -> None:
        """End; fine to call twice."""
        self._seen.pop(transfer, None)

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for transfer, (moved, since) in list(self._seen.items()):
            current = transfer.moved_bytes()
            if current != moved or not transfer.is_waiting():
                self._seen[transfer] = (current, now)
            elif now - since >= self.stall_seconds:
                self.forget(transfer)
                transfer.abort()
        self._timer = loop.call_later(self.stall_seconds / CHECKS_PER_STALL, self._check) if self._seen else None
