"""Accepting in turn: workers share their listening sockets, and who has fewest connections takes the next one.

Everybody's number of connections is in memory that all of them share. A worker that has more than another leaves what
arrives to that one, for a moment: whoever does not come for it, because it is stalled or dead, keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import mmap
import select
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.001
"""How long a worker leaves a connection to the others before it looks again; uvloop's timers know no less."""

LOOKS_MAX: Final = 20
"""After so many looks at a queue that was never empty it takes what waits, whoever's turn it is."""

FAILED_ACCEPT_SECONDS: Final = 1.0
"""Pause after the kernel refused, as it does when the process has no file descriptor left."""

_NOBODY: Final = sys.maxsize
_SLACK: Final = 8
"""One connection in so many may be more than the fewest: the more there are, the less the difference matters."""


class ConnectionCounts:
    """The number of connections of each worker. Made before the workers are forked."""

    def __init__(self, workers: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * workers)).cast("q")
        for index in range(workers):
            self.clear(index)

    def clear(self, index: int) -> None:
        """Nobody serves in that place now, so nothing is left to it."""
        self._counts[index] = _NOBODY

    def put(self, index: int, count: int) -> None:
        """Say how many connections that worker has."""
        self._counts[index] = count

    def fewest(self) -> int:
        """What the worker with fewest connections has."""
        return min(self._counts)


class Turn:
    """One worker's part in the counts, over all its listeners."""

    def __init__(self, counts: ConnectionCounts, index: int) -> None:
        self._counts, self._index = counts, index
        self._open = 0
        self._is_counting = True

    def take(self) -> None:
        """Note a connection that was accepted."""
        self._open += 1
        self.show()

    def give_up(self) -> None:
        """Note the end of one."""
        self._open -= 1
        self.show()

    def show(self) -> None:
        """Let the others know the number of connections."""
        if self._is_counting:
            self._counts.put(self._index, self._open)

    def is_mine(self) -> bool:
        """Whether nobody has clearly fewer connections."""
        self.show()  # a predecessor that drains may have written last
        fewest = self._counts.fewest()
        return self._open <= fewest + fewest // _SLACK

    def stop(self) -> None:
        """From now on the place in the counts is a successor's."""
        self._is_counting = False


Admit = Callable[[socket.socket], Awaitable[Callable[[], asyncio.Protocol] | None]]
"""What makes the protocol of a connection that was accepted, after a look at who is there; None: it is refused."""


class Acceptor:
    """Accepts from one listening socket that other workers accept from too."""

    def __init__(
        self,
        listening: socket.socket,
        factory: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        turn: Turn,
        admit: Admit | None = None,
    ) -> None:
        self._socket, self._factory, self._context, self._turn = listening, factory, context, turn
        self._admit = admit
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._looks = 0
        self._waiting = select.poll()
        self._waiting.register(listening, select.POLLIN)
        turn.show()
        self._resume()

    def close(self) -> None:
        """Accept no more; what waits is the other workers'."""
        if self._socket.fileno() < 0:
            return
        if self._pause is None:
            self._loop.remove_reader(self._socket)
        else:
            self._pause.cancel()
        self._socket.close()

    def cut(self) -> None:
        """Give up on connections whose TLS handshake is under way."""
        for task in self._arriving:
            task.cancel()

    def _resume(self) -> None:
        self._pause, self._looks = None, 0
        self._loop.add_reader(self._socket, self._take)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        if self._pause is None:
            self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(seconds, then)

    def _take(self) -> None:
        """Take what waits for as long as it is this worker's turn."""
        while self._turn.is_mine():
            if not self._accept():
                return
        self._wait(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """See whether the others have come for what was left to them."""
        self._looks += 1
        if self._turn.is_mine() or not self._waiting.poll(0):
            self._resume()
        elif self._looks < LOOKS_MAX:
            self._wait(LOOK_SECONDS, self._look)
        else:
            self._resume()
            while self._accept():
                pass

    def _accept(self) -> bool:
        """Take one connection; False when none waits, or none can be taken."""
        try:
            accepted = self._socket.accept()[0]
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            log.warning("accept.failed", error=str(error))
            self._wait(FAILED_ACCEPT_SECONDS, self._resume)
            return False
        accepted.setblocking(False)
        self._turn.take()
        task = self._loop.create_task(self._begin(accepted))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)
        return True

    async def _begin(self, accepted: socket.socket) -> None:
        """Give a connection its protocol, which says when it ends."""
        try:
            factory = await self._admit(accepted) if self._admit else self._factory
            if factory is None:
                accepted.close()
                self._turn.give_up()
                return
            await self._loop.connect_accepted_socket(factory, accepted, ssl=self._context)
        except (OSError, asyncio.CancelledError) as error:  # the task ends either way
            log.debug("connection.refused", error=type(error).__name__)
            accepted.close()
            self._turn.give_up()
