"""Streams: the bytes of a blob on their way out, with back-pressure; a broken one never ends cleanly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import structlog
from aiohttp.web import BaseRequest, Response, StreamResponse

from entrepot.transport.body import abort
from entrepot.transport.exchange import Exchange

log = structlog.get_logger(__name__)

WHOLE_BYTES_MAX = 256 * 1024
"""Up to here an answer is collected and sent with its headers in one write."""


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
    exchange: Exchange, status: int, headers: Mapping[str, str], length: int, chunks: AsyncIterator[bytes | bytearray]
) -> StreamResponse:
    """Answer with `length` bytes of `chunks`; `headers` has the Content-Length."""
    if length <= WHOLE_BYTES_MAX:
        body = b"".join([part async for part in chunks])
        if len(body) != length:
            raise RuntimeError(f"a blob gave {len(body)} bytes instead of {length}")
        return Response(status=status, headers=headers, body=body)
    response = StreamResponse(status=status, headers=headers)
    await response.prepare(exchange.request)
    outgoing = Outgoing(exchange.request)
    exchange.watchdog.watch(outgoing)
    try:
        await _pump(response, outgoing, length, chunks)
    except ConnectionError:
        raise
    except Exception:
        # The headers promised bytes that cannot be had: only a broken connection tells the client so.
        log.exception("blob.broken", request_id=exchange.id, path=exchange.path)
        raise ConnectionAbortedError from None
    finally:
        exchange.watchdog.forget(outgoing)
    return response


async def _pump(
    response: StreamResponse, outgoing: Outgoing, length: int, chunks: AsyncIterator[bytes | bytearray]
) -> None:
    left = length
    async for part in chunks:
        left -= len(part)
        outgoing.add(len(part))
        outgoing.is_draining = True
        await response.write(part)
        outgoing.is_draining = False
    if left:
        raise RuntimeError(f"a blob ended {left} bytes early")
    outgoing.is_draining = True
    await response.write_eof()
