"""Connections: HTTP on one socket, with a limit on all headers together, and errors that tell and log nothing sent.

What cannot be parsed may hold a password, so neither the answer nor the log repeats any of it.
"""

from __future__ import annotations

from http import HTTPStatus

import structlog
from aiohttp.web import BaseRequest, RequestHandler, Response, Server, StreamResponse

log = structlog.get_logger(__name__)

SERVER = "entrepot"
"""The Server header: no versions."""

HEAD_BYTES_MAX = 256 * 1024
"""Request line and headers of one request together; each has a limit of its own below this."""


class Connection(RequestHandler):
    """One connection of a listener."""

    __slots__ = ("_head_bytes",)

    _head_bytes: int

    def data_received(self, data: bytes) -> None:
        """Take what arrived; a head that has no end ends the connection."""
        super().data_received(data)
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._head_bytes = 0  # a request is under way
            return
        self._head_bytes = getattr(self, "_head_bytes", 0) + len(data)
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

    def __call__(self) -> Connection:
        """A connection that was accepted just now."""
        return Connection(self, loop=self._loop, **self._kwargs)
