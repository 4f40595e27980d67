"""Request bodies: read once, when the handler wants them, and watched for progress.

`Expect: 100-continue` is answered at the first read, so after authentication. A body that nobody wanted is drained
by the server when it is small; otherwise the connection ends with the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import hdrs
from aiohttp.http import HttpVersion11
from aiohttp.web import BaseRequest, RequestPayloadError

from entrepot.transport.message import BodyTooLarge
from entrepot.transport.watchdog import Watchdog

READ_BYTES_PER_SECOND = 64 * 1024
"""A body that is read whole holds memory until its end, so it has to come at this speed on average."""

DRAINABLE_BYTES = 64 * 1024
"""An unread body up to this size is worth less than a new connection."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyBroken(Exception):
    """The body ended before its end, or its framing is wrong: no answer can help this connection."""


class RequestBody:
    """The body of one request; a `Transfer` of the watchdog while it is read."""

    __slots__ = ("_is_begun", "_is_waiting", "_request", "_watchdog")

    def __init__(self, request: BaseRequest, watchdog: Watchdog) -> None:
        self._request = request
        self._watchdog = watchdog
        self._is_begun = False
        self._is_waiting = False

    @property
    def length(self) -> int | None:
        """Bytes by Content-Length: 0 without a body, None when chunked."""
        if not self._request.body_exists:
            return 0
        return self._request.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, up to about half a MiB at a time; at most once.

        Raises:
            BodyBroken: the client went away or broke the framing.
        """
        content = self._request.content
        if content.is_eof() and content.at_eof():
            return
        self._begin()
        self._watchdog.watch(self)
        try:
            while True:
                self._is_waiting = True
                try:
                    data = await content.readany()
                except (RequestPayloadError, OSError, RuntimeError) as error:
                    raise BodyBroken from error
                finally:
                    self._is_waiting = False
                if not data:
                    return
                yield data
                del data  # not kept until the next bytes come, which may take long
        finally:
            self._watchdog.forget(self)

    async def read(self, limit_bytes: int) -> bytes:
        """The whole body, which has a stall period and the time for its bytes to arrive.

        Raises:
            BodyTooLarge: it has more bytes than that.
            BodyBroken: the client went away, broke the framing, or was too slow.
        """
        length = self.length
        if length is not None and length > limit_bytes:
            raise BodyTooLarge
        if self._request.content.is_eof():
            return await self._collect(limit_bytes)
        seconds = (limit_bytes if length is None else length) / READ_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(self._watchdog.stall_seconds + seconds):
                return await self._collect(limit_bytes)
        except TimeoutError as error:
            self.abort()
            raise BodyBroken from error

    async def _collect(self, limit_bytes: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for data in self.chunks():
            size += len(data)
            if size > limit_bytes:
                raise BodyTooLarge
            parts.append(data)
        return b"".join(parts)

    def must_close(self) -> bool:
        """Whether what is still unread makes the connection useless."""
        if not self._request.body_exists or self._request.content.is_eof():
            return False
        length = self._request.content_length
        if not self._is_begun and self._expects_continue():
            return True
        return length is None or length - self._request.content.total_bytes > DRAINABLE_BYTES

    def moved_bytes(self) -> int:
        """See `Transfer`."""
        return self._request.content.total_bytes

    def is_waiting(self) -> bool:
        """See `Transfer`."""
        return self._is_waiting

    def abort(self) -> None:
        """See `Transfer`."""
        abort(self._request)

    def _begin(self) -> None:
        if not self._is_begun and self._expects_continue():
            transport = self._request.transport
            if transport is not None:
                transport.write(_CONTINUE)
        self._is_begun = True

    def _expects_continue(self) -> bool:
        expect = self._request.headers.get(hdrs.EXPECT)
        return expect is not None and expect.lower() == "100-continue" and self._request.version >= HttpVersion11


def abort(request: BaseRequest) -> None:
    """Close a connection at once, so that an answer under way cannot look complete."""
    transport = request.transport
    if transport is not None:
        transport.abort()
