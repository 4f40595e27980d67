"""Streams: large answers on their way out, with back-pressure; a broken one never ends cleanly."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping

import structlog
from aiohttp.web import BaseRequest, Response, StreamResponse

from entrepot.transport.body import abort
from entrepot.transport.connection import SERVER
from entrepot.transport.exchange import Exchange

log = structlog.get_logger(__name__)

Piece = bytes | bytearray | memoryview

WHOLE_BYTES_MAX = 256 * 1024
"""Up to here an answer is collected and sent with its headers in one write."""


async def send_bytes(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> StreamResponse:
    """Answer with bytes at hand, in pieces when there are many, so that a stalled reader is noticed."""
    if len(body) <= WHOLE_BYTES_MAX or exchange.method == "HEAD":
        return Response(status=status, headers=headers, body=body)
    return await send(exchange, status, {**headers, "Content-Length": str(len(body))}, len(body), _pieces(body))


async def _pieces(body: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(body)
    for start in range(0, len(view), WHOLE_BYTES_MAX):
        yield view[start : start + WHOLE_BYTES_MAX]


class BodyMissing(Exception):
    """The pieces are not as many bytes as the headers promise."""


class Outgoing:
    """A body on its way out; a `Transfer` of the watchdog."""

    __slots__ = ("_request", "_written", "is_draining")

    def __init__(self, request: BaseRequest) -> None:
        self._request = request
        self._written = 0
        self.is_draining = False

    def add(self, size_bytes: int) -> None:
        """Note bytes handed to the socket."""
        self._written += size_bytes

    def moved_bytes(self) -> int:
        """What has left the process."""
        transport = self._request.transport
        return self._written - (transport.get_write_buffer_size() if transport else 0)

    def is_waiting(self) -> bool:
        """Whether the reader is slower than we are."""
        return self.is_draining

    def abort(self) -> None:
        """Give the reader up."""
        abort(self._request)


async def send(
    exchange: Exchange, status: int, headers: Mapping[str, str], length: int, pieces: AsyncIterator[Piece]
) -> StreamResponse:
    """Answer with `length` bytes of `pieces`, which is used up or closed; `headers` has the Content-Length."""
    try:
        exchange.begin_to_wait()
        if length > WHOLE_BYTES_MAX:
            return await _stream(exchange, status, headers, length, pieces)
        body = b"".join([piece async for piece in pieces])
        if len(body) != length:
            raise BodyMissing(f"{len(body)} bytes came instead of {length}")
        return Response(status=status, headers=headers, body=body)
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


async def _stream(
    exchange: Exchange, status: int, headers: Mapping[str, str], length: int, pieces: AsyncIterator[Piece]
) -> StreamResponse:
    first = await anext(pieces, b"")  # before the headers: what cannot be had at all is an error with words
    response = StreamResponse(status=status, headers={"Server": SERVER, **headers})
    await response.prepare(exchange.request)
    outgoing = Outgoing(exchange.request)
    exchange.watchdog.watch(outgoing)
    try:
        await _pump(response, outgoing, length, first, pieces)
    except ConnectionError:
        raise
    except Exception:
        # The headers promised bytes that cannot be had: only a broken connection tells the client so.
        log.exception("stream.broken", request_id=exchange.id, path=exchange.path)
        raise ConnectionAbortedError from None
    finally:
        exchange.watchdog.forget(outgoing)
    return response


async def _pump(
    response: StreamResponse, outgoing: Outgoing, length: int, first: Piece, pieces: AsyncIterator[Piece]
) -> None:
    left, piece = length, first
    while piece:
        left -= len(piece)
        outgoing.add(len(piece))
        outgoing.is_draining = True
        await response.write(piece)
        outgoing.is_draining = False
        piece = await anext(pieces, b"")
    if left:
        raise BodyMissing(f"{left} bytes are missing at the end")
    outgoing.is_draining = True
    await response.write_eof()
