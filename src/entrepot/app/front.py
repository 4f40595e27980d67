"""The front of a worker: its sockets accepted from, and drained so that requests under way finish.

aiohttp's own shutdown stops reading at once, which would cut uploads; here connections with a request under way are
left alone until it is answered, and only idle ones are closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from aiohttp.web import BaseRequest, RequestHandler, StreamResponse

from entrepot.app.acceptor import Acceptor, ConnectionCounts, Turn
from entrepot.app.listener import BACKLOG
from entrepot.transport.connection import Connection, ConnectionServer, Handler, LaneOpener
from entrepot.transport.middleware import build_server

ARRIVAL_SECONDS = 0.1
"""What the request of a connection accepted just now gets to arrive."""

CUT_SECONDS = 1.0
"""What a request beyond the grace gets to notice that it is cancelled."""


class Heard(NamedTuple):
    """A socket that is accepted from."""

    acceptor: asyncio.Server | Acceptor
    server: ConnectionServer


AdmitTo = Callable[[ConnectionServer, socket.socket], Awaitable[Callable[[], asyncio.Protocol] | None]]
"""Looks at who is there before a connection gets its protocol; None: it is refused."""


class Front:
    """All listeners of one worker, which takes its turn if there are others."""

    def __init__(self, turn: Turn | None = None) -> None:
        self._turn = turn
        self._acceptors: list[asyncio.Server | Acceptor] = []
        self._servers: list[ConnectionServer] = []
        self._busy: set[RequestHandler] = set()
        self._is_draining = False
        self._is_quiet = asyncio.Event()

    async def listen(
        self,
        handler: Handler,
        one: socket.socket,
        context: ssl.SSLContext | None,
        idle_seconds: float,
        open_lane: LaneOpener | None = None,
        admit: AdmitTo | None = None,
    ) -> Heard:
        """Begin to accept from a listening socket, with TLS if there is a context; `admit` looks at who is there."""
        turn = self._turn
        if turn is None and admit is not None:
            turn = Turn(ConnectionCounts(1), 0)  # nobody else takes turns
        server = build_server(self._counted(handler), idle_seconds, open_lane, turn.give_up if turn else None)
        one.setblocking(False)
        self._servers.append(server)
        acceptor: asyncio.Server | Acceptor
        if turn is not None:
            acceptor = Acceptor(one, server, context, turn, partial(admit, server) if admit else None)
        else:
            loop = asyncio.get_running_loop()
            acceptor = await loop.create_server(server, sock=one, ssl=context, backlog=BACKLOG)
        self._acceptors.append(acceptor)
        return Heard(acceptor, server)

    def stop(self, heard: Heard) -> None:
        """Accept no more from one socket; its connections end with what is under way on them."""
        heard.acceptor.close()
        self._acceptors.remove(heard.acceptor)
        for connection in heard.server.connections:
            if connection in self._busy:
                connection.close()
            else:
                connection.force_close()
        self._servers = [one for one in self._servers if one is not heard.server or one.connections]

    async def drain(self, grace_seconds: float) -> None:
        """Accept no more, close what is idle, wait for requests under way, then cut the rest."""
        self._is_draining = True
        if self._turn is not None:
            self._turn.stop()
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in self._connections():
            if isinstance(connection, Connection):
                connection.close_lane()  # answers say from now on that the connection closes
        await asyncio.sleep(ARRIVAL_SECONDS)
        for connection in self._connections():
            if connection not in self._busy:
                connection.force_close()
        for acceptor in self._acceptors:
            if isinstance(acceptor, Acceptor):
                acceptor.cut()
        if self._busy:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_quiet.wait(), grace_seconds)
        await asyncio.gather(*(connection.shutdown(CUT_SECONDS) for connection in self._connections()))

    def _connections(self) -> list[RequestHandler]:
        return [connection for server in self._servers for connection in server.connections]

    def _counted(self, handler: Handler) -> Handler:
        """The handler, with its connection known as busy meanwhile."""

        async def counted(request: BaseRequest) -> StreamResponse:
            connection = request.protocol
            self._busy.add(connection)
            try:
                response = await handler(request)
            finally:
                self._busy.discard(connection)
                if self._is_draining and not self._busy:
                    self._is_quiet.set()
            if self._is_draining:
                response.force_close()
            return response

        return counted
