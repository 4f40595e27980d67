"""Byte budget: how much of large bodies and answers one worker keeps in memory at a time.

Spec: storage rules, "Uploads"; security rules, "Identity" (unverified bodies share a budget); docs/adr/0014 (beyond it
ThrottlingException, not 503).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from entrepot.domain.error import Throttled
from entrepot.domain.limit import MIB

BUDGET_BYTES: Final = 64 * MIB
"""Bytes of request bodies and answers per worker."""

WAIT_SECONDS: Final = 20.0
"""How long a request waits for its share; then it is told to come again."""

WAITERS_MAX: Final = 1_000
"""Requests that may wait at once."""


class Hold:
    """The share of one request; it can grow."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.held_bytes = 0

    async def grow(self, size_bytes: int) -> None:
        """Take more; one request never holds more than the whole budget, whatever it asks for.

        Raises:
            Throttled: the others did not let go of enough in time.
        """
        wanted = min(size_bytes, self._budget.limit_bytes - self.held_bytes)
        if wanted > 0:
            await self._budget.take(wanted)
            self.held_bytes += wanted


class ByteBudget:
    """A number of bytes that is handed out in order of asking. For one event loop."""

    def __init__(self, limit_bytes: int = BUDGET_BYTES, wait_seconds: float = WAIT_SECONDS) -> None:
        self.limit_bytes = limit_bytes
        self._wait_seconds = wait_seconds
        self._free = limit_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size_bytes: int) -> AsyncIterator[Hold]:
        """Keep `size_bytes`, and what the hold grows to, until the end of the block.

        Raises:
            Throttled: the others did not let go of enough in time.
        """
        hold = Hold(self)
        await hold.grow(size_bytes)
        try:
            yield hold
        finally:
            self._give_back(hold.held_bytes)

    async def take(self, size_bytes: int) -> None:
        """Wait for so many bytes; for `Hold`, which gives them back."""
        if not self._waiting and size_bytes <= self._free:
            self._free -= size_bytes
            return
        if len(self._waiting) >= WAITERS_MAX:
            raise Throttled
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        try:
            async with asyncio.timeout(self._wait_seconds):
                await asyncio.shield(turn)
        except TimeoutError as error:
            self._leave(size_bytes, turn)
            raise Throttled from error
        except asyncio.CancelledError:
            self._leave(size_bytes, turn)
            raise

    def _leave(self, size_bytes: int, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._give_back(size_bytes)  # the turn came in the same moment
        else:
            turn.cancel()
            self._give_back(0)

    def _give_back(self, size_bytes: int) -> None:
        self._free += size_bytes
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= wanted
                turn.set_result(None)
