"""Quick answers: reads whose answer is at hand leave in the very call that brought the request.

The server's way (parser, two tasks, request and response objects) costs more than such a read itself: see
docs/benchmarks.md. So GET and HEAD of a manifest or a blob with a login, in one piece and without a body, are first
attempted at once: the plane runs as for every request, every check included. If it would have to wait, or needs the
connection, the attempt is dropped and the request goes the server's way from its first byte.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web import Response
from multidict import CIMultiDictProxy

from entrepot.domain.passage import Gate
from entrepot.transport.connection import SERVER
from entrepot.transport.exchange import Answer, Exchange, Plane
from entrepot.transport.message import HttpResponse, Peer
from entrepot.transport.middleware import Middleware, access_line

log = structlog.get_logger(__name__)

FIELDS_BYTES_MAX: Final = 16 * 1024
"""Longest header of a quick request; one is kept for each connection."""

_END: Final = b"\r\n\r\n"
_METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD"}
_TARGET: Final = re.compile(
    rb"/v2/(?:[a-z0-9_-][a-z0-9._-]*/)+(?:manifests|blobs)/[A-Za-z0-9_][A-Za-z0-9._-]*(?::[0-9a-f]+)?"
)
"""No encoding, no dot segments, no query: the router has nothing to decide about such a path."""

_NEEDS_SERVER: Final = ("Content-Length", "Transfer-Encoding", "Expect", "Upgrade")
_LOGINS: Final = ("Basic ", "Bearer ")
_WITHOUT_LENGTH: Final = (204, 304)


@dataclass(frozen=True, slots=True)
class Fields:
    """The header fields of a request, read; clients send the same ones again and again on a connection."""

    block: bytes
    """As sent, with the empty line."""
    headers: CIMultiDictProxy[str]
    peer: Peer
    host: str


class QuickAnswers:
    """The quick way of one listener. `plane` answers under `/v2/`."""

    def __init__(self, plane: Plane, middleware: Middleware, listener: str, gate: Gate | None = None) -> None:
        self._plane = plane
        self._peers = middleware.peers(listener, gate)
        self._watchdog = middleware.watchdog
        self._note = middleware.on_access

    def open_lane(self, address: str) -> Lane:
        """The quick way of a connection from `address`."""
        return Lane(self, address)

    def read_fields(self, block: bytes, address: str) -> Fields | None:
        """Read header fields with the server's parser; None when the request must go the server's way."""
        if len(block) > FIELDS_BYTES_MAX or block.find(_END) != len(block) - len(_END):
            return None
        headers = _parse(block)
        if headers is None or not headers.get("Authorization", "").startswith(_LOGINS):
            return None
        peer, host = self._peers.read(address, headers)
        return Fields(block, headers, peer, host)

    def attempt(self, method: str, target: str, fields: Fields) -> bytes | None:
        """The whole answer, or None when the request must go the server's way."""
        exchange = Exchange(method, target, fields.headers, fields.peer, fields.host, self._watchdog)
        began = time.monotonic() if self._note else 0.0
        answer = self._run(exchange)
        if answer is None or (written := write(answer, is_head=method == "HEAD")) is None:
            return None
        if self._note:
            self._note(access_line(exchange, answer.status, time.monotonic() - began))
        return written

    def _run(self, exchange: Exchange) -> Answer | None:
        """Run the plane up to its first wait."""
        running = self._plane(exchange).__await__()
        try:
            next(running)
        except StopIteration as done:
            answer: Answer = done.value
            return answer
        except Exception as error:  # noqa: BLE001 (the server's way meets it again, and has the border for it)
            log.debug("quick.dropped", error=type(error).__name__)
            return None
        running.close()
        return None


class Lane:
    """The quick way of one connection."""

    __slots__ = ("_address", "_fields", "_quick")

    def __init__(self, quick: QuickAnswers, address: str) -> None:
        self._quick, self._address = quick, address
        self._fields: Fields | None = None

    def answer(self, data: bytes) -> bytes | None:
        """What to send for `data`, which is all that came since the last answer; None: go the server's way."""
        line, _, block = data.partition(b"\r\n")
        words = line.split(b" ")
        if len(words) != 3 or words[2] != b"HTTP/1.1":  # noqa: PLR2004 (method, target, version)
            return None
        method, target = _METHODS.get(words[0]), words[1]
        if method is None or not _TARGET.fullmatch(target):
            return None
        fields = self._fields
        if fields is None or fields.block != block:
            fields = self._fields = self._quick.read_fields(block, self._address)
            if fields is None:
                return None
        return self._quick.attempt(method, target.decode(), fields)


def _parse(block: bytes) -> CIMultiDictProxy[str] | None:
    """Header fields of exactly one request that needs nothing but an answer."""
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, FIELDS_BYTES_MAX, max_field_size=FIELDS_BYTES_MAX)
    try:
        messages, is_upgraded, tail = parser.feed_data(b"GET / HTTP/1.1\r\n" + block)
    except HttpProcessingError:
        return None
    if len(messages) != 1 or is_upgraded or tail:
        return None
    message, payload = messages[0]
    if payload is not EMPTY_PAYLOAD or message.should_close or any(name in message.headers for name in _NEEDS_SERVER):
        return None
    headers: CIMultiDictProxy[str] = message.headers
    return headers


def write(answer: Answer, *, is_head: bool) -> bytes | None:
    """An answer as it goes over the wire; None when only the server can send it."""
    if isinstance(answer, HttpResponse):
        headers: Mapping[str, str] = answer.headers
        body = answer.body
    elif type(answer) is Response and isinstance(answer.body, bytes | None) and answer.keep_alive is None:
        headers, body = answer.headers, answer.body or b""
    else:
        return None
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    if "Content-Length" not in headers:
        lines.append(f"Content-Length: {len(body)}\r\n")
    text = "".join(lines)
    if answer.status in _WITHOUT_LENGTH or text.count("\n") != len(lines):
        return None  # never a line that some value brought along
    head = f"{_status_line(answer.status)}{text}Date: {_date(int(time.time()))}\r\nServer: {SERVER}\r\n\r\n".encode()
    return head if is_head else head + body


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
