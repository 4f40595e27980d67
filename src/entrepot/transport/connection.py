"""Connections: HTTP on one socket, with a limit on all headers together, and errors that tell and log nothing sent.

What cannot be parsed may hold a password, so neither the answer nor the log repeats any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol

import structlog
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web import BaseRequest, RequestHandler, Response, Server, StreamResponse

log = structlog.get_logger(__name__)

Handler = Callable[[BaseRequest], Awaitable[StreamResponse]]

SERVER = "entrepot"
"""The Server header: no versions."""

HEAD_BYTES_MAX = 256 * 1024
"""Request line and headers of one request together; each has a limit of its own below this."""

_HEAD_END = b"\r\n\r\n"


class Lane(Protocol):
    """The quick way of one connection: see `quick.py`."""

    def answer(self, data: bytes) -> bytes | None:
        """The whole answer to one request, or None when it must go the server's way."""


LaneOpener = Callable[[str], Lane]
"""Address of a client → the quick way of its connection."""

OnEnd = Callable[[], None]
"""Called for each connection that has ended."""


class Connection(RequestHandler):
    """One connection of a listener."""

    __slots__ = ("_client", "_head_bytes", "_is_between", "_lane")

    def __init__(self, server: ConnectionServer, client: str | None = None, **options: Any) -> None:
        """`client` is the address of whom a proxy speaks for, where it is not that of the peer."""
        super().__init__(server, **options)
        self._client = client
        self._head_bytes = 0
        self._is_between = True
        """Whether the parser stands between two requests, for certain; what came since then is in `_messages`."""
        self._lane: Lane | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        server = self._manager
        if isinstance(server, ConnectionServer) and server.open_lane is not None:
            name = self.peername
            self._lane = server.open_lane(str(name[0]) if isinstance(name, tuple) else str(name or ""))

    @property
    def peername(self) -> str | tuple[str, int] | None:
        """Who is at the other end; requests call the first half `remote`."""
        if self._client is not None:
            return self._client, 0
        if self.transport is None:
            return None
        found: str | tuple[str, int] | None = self.transport.get_extra_info("peername")
        return found

    def close_lane(self) -> None:
        """From now on every request goes the server's way."""
        self._lane = None

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        if self._lane is not None and self._is_idle():
            answer = self._lane.answer(data)
            if answer is not None and self.transport is not None:
                self.transport.write(answer)
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                return
        self._parse(data)

    def _is_idle(self) -> bool:
        """Whether nothing is under way: no request, no part of one, no answer that the client has not taken."""
        waiter = self._waiter
        if waiter is None or waiter.done() or not self._is_between or self._messages:
            return False
        if self._force_close or self._close or self.transport is None:
            return False
        return self.transport.get_write_buffer_size() == 0

    def _parse(self, data: bytes) -> None:
        """Let the server have what arrived; a head that has no end ends the connection."""
        before = len(self._messages)
        super().data_received(data)
        # one head without a body, and nothing else: the parser waits for a first byte again
        self._is_between = (
            before == 0
            and len(self._messages) == 1
            and self._messages[0][1] is EMPTY_PAYLOAD
            and not self._upgraded
            and data.find(_HEAD_END) == len(data) - len(_HEAD_END)
        )
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._head_bytes = 0  # a request is under way
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            log.debug("head.too_large")
            self.force_close()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - quotes the request
    ) -> StreamResponse:
        """Answer what is no request, or what failed outside of every handler. The connection ends.

        Raises:
            ConnectionError: an answer has begun already.
        """
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("connection.failed", exc_info=exc)
        else:
            log.debug("request.malformed", address=request.remote, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError
        response = Response(status=status, text=f"{HTTPStatus(status).phrase}\n", headers={"Server": SERVER})
        response.force_close()
        return response


class ConnectionServer(Server):
    """The protocol factory of one listener."""

    def __init__(self, handler: Handler, open_lane: LaneOpener | None, on_end: OnEnd | None, **options: Any) -> None:
        super().__init__(handler, **options)
        self.open_lane = open_lane
        self._on_end = on_end

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """A connection has ended."""
        super().connection_lost(handler, exc)
        if self._on_end is not None:
            self._on_end()

    def __call__(self, client: str | None = None) -> Connection:
        """A connection that was accepted just now, perhaps from a proxy that speaks for a client."""
        return Connection(self, client, loop=self._loop, **self._kwargs)
