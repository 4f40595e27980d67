"""What every request passes through: its id, its peer, the error border, the end of the connection, the access log."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp.web import BaseRequest, Response, StreamResponse

from entrepot.domain.passage import Gate
from entrepot.transport.body import BodyBroken, abort
from entrepot.transport.connection import SERVER, ConnectionServer, Handler, LaneOpener, OnEnd
from entrepot.transport.exchange import Answer, Exchange, Plane
from entrepot.transport.peer import Network, PeerReader
from entrepot.transport.watchdog import Watchdog

log = structlog.get_logger(__name__)


HEADER_BYTES_MAX = 64 * 1024
"""Longest request line and longest header field."""

IDLE_SECONDS = 75.0
"""A connection without a complete request for this long is closed; so are slow headers."""

LINGER_SECONDS = 2.0
"""How long an unread body is drained before its connection closes."""

CAUSES_MAX = 8
"""Errors behind an error that are looked at when its connection ends."""

READ_BUFFER_BYTES = 256 * 1024
"""Half of what one request body may hold in memory before its socket is no longer read."""


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the access log; never holds a query, which may be signed."""

    request_id: str
    method: str
    path: str
    status: int
    seconds: float
    """Until the answer was ready, for streams until its last byte was handed over."""
    address: str
    listener: str


OnAccess = Callable[[Access], None]


class Middleware:
    """Wraps the router for the listeners of one worker."""

    def __init__(
        self,
        plane: Plane,
        *,
        trusted_proxies: Sequence[Network] = (),
        watchdog: Watchdog | None = None,
        on_access: OnAccess | None = None,
    ) -> None:
        self._plane = plane
        self._trusted_proxies = trusted_proxies
        self.watchdog = watchdog or Watchdog()
        self.on_access = on_access

    def handler(self, listener: str, gate: Gate | None = None) -> Handler:
        """What an `aiohttp.web.Server` calls for the requests of `listener`, a URL with scheme, or of an endpoint."""
        peers, watchdog = self.peers(listener, gate), self.watchdog
        serve, note = self._serve, self.on_access
        if note is None:
            return lambda request: serve(Exchange.of(request, peers, watchdog))

        async def noted(request: BaseRequest) -> StreamResponse:
            exchange = Exchange.of(request, peers, watchdog)
            started = asyncio.get_running_loop().time()
            response = await serve(exchange)
            note(access_line(exchange, response.status, asyncio.get_running_loop().time() - started))
            return response

        return noted

    def peers(self, listener: str, gate: Gate | None = None) -> PeerReader:
        """What tells who is at the other end of that listener's connections."""
        return PeerReader(listener, self._trusted_proxies, gate)

    async def _serve(self, exchange: Exchange) -> StreamResponse:
        try:
            response = _response(await self._plane(exchange))
        except (BodyBroken, ConnectionError) as error:
            _let_go(error)
            abort(exchange.request)
            response = Response(status=400)
        except Exception:
            log.exception("request.failed", request_id=exchange.id, method=exchange.method, path=exchange.path)
            response = Response(status=500, text="Internal Server Error\n")
        if not response.prepared:
            response.headers.setdefault("Server", SERVER)
            if exchange.body.must_close():
                response.force_close()
        return response


def _let_go(error: BaseException) -> None:
    """Empty the frames of an error that its request holds: else the bytes in them stay until a full collection."""
    inner: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if inner is None:
            return
        traceback.clear_frames(inner.__traceback__)
        inner = inner.__cause__ or inner.__context__


def _response(answer: Answer) -> StreamResponse:
    if isinstance(answer, StreamResponse):
        return answer
    return Response(status=answer.status, headers=answer.headers, body=answer.body or None)


def access_line(exchange: Exchange, status: int, seconds: float) -> Access:
    """The line of one answered request."""
    peer = exchange.peer
    return Access(exchange.id, exchange.method, exchange.path, status, seconds, peer.address, peer.listener)


def build_server(
    handler: Handler,
    idle_seconds: float = IDLE_SECONDS,
    open_lane: LaneOpener | None = None,
    on_end: OnEnd | None = None,
) -> ConnectionServer:
    """The protocol factory of one listener: limits on headers, idleness and memory are set here and nowhere else.

    `open_lane` gives connections their quick way, `on_end` hears of the end of each.
    """
    options: dict[str, Any] = {
        "access_log": None,
        "auto_decompress": False,  # a body is what was sent: digests are of those bytes
        "keepalive_timeout": idle_seconds,
        "lingering_time": LINGER_SECONDS,
        "max_field_size": HEADER_BYTES_MAX,
        "max_line_size": HEADER_BYTES_MAX,
        "read_bufsize": READ_BUFFER_BYTES,
    }
    return ConnectionServer(handler, open_lane, on_end, **options)
