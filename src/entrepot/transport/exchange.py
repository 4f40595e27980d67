"""Exchanges: one request as the planes meet it, its path raw and its body unread."""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self

from aiohttp.web import StreamResponse

from entrepot.transport.body import RequestBody
from entrepot.transport.message import HttpRequest, HttpResponse, Peer

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest
    from multidict import CIMultiDictProxy

    from entrepot.transport.peer import PeerReader
    from entrepot.transport.watchdog import Watchdog


class NotQuick(Exception):
    """A quick attempt at an answer ends here, before anything was done: it would wait, or needs the connection."""


class Exchange:
    """A request under way. Cheap to make: what most requests never ask for is found when asked."""

    __slots__ = ("_body", "_id", "_request", "headers", "host", "method", "path", "peer", "query", "watchdog")

    def __init__(
        self,
        method: str,
        target: str,
        headers: CIMultiDictProxy[str],
        peer: Peer,
        host: str,
        watchdog: Watchdog,
        request: BaseRequest | None = None,
    ) -> None:
        self.method = method
        self.headers = headers
        self.path, _, self.query = target.partition("?")
        """As sent: neither decoded nor normalised."""
        self.peer = peer
        """Who is at the other end."""
        self.host = host
        self.watchdog = watchdog
        self._request = request
        self._body: RequestBody | None = None
        self._id: str | None = None

    @classmethod
    def of(cls, request: BaseRequest, peers: PeerReader, watchdog: Watchdog) -> Self:
        """The exchange of a request of the server's."""
        peer, host = peers.read(request.remote or "", request.headers)
        return cls(request.method, _target(request.raw_path), request.headers, peer, host, watchdog, request)

    @property
    def request(self) -> BaseRequest:
        """The request as the server has it, for what needs its connection.

        Raises:
            NotQuick: there is none in a quick attempt.
        """
        if self._request is None:
            raise NotQuick
        return self._request

    @property
    def body(self) -> RequestBody:
        """What follows the head.

        Raises:
            NotQuick: this is a quick attempt.
        """
        if self._body is None:
            self._body = RequestBody(self.request, self.watchdog)
        return self._body

    @property
    def id(self) -> str:
        """A random UUID: names the request in logs and answers, proves nothing."""
        if self._id is None:
            self._id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        return self._id

    def begin_to_wait(self) -> None:
        """Called before work that others must not see begun and dropped, such as reading a file in a thread.

        Raises:
            NotQuick: this is a quick attempt, which is dropped at its first wait.
        """
        if self._request is None:
            raise NotQuick

    def message(self) -> HttpRequest:
        """The request free of the server's types."""
        return HttpRequest(
            method=self.method,
            raw_path=self.path,
            raw_query=self.query,
            headers=self.headers,
            peer=self.peer,
            read_body=self.body.read,
            request_id=self.id,
        )


Answer = StreamResponse | HttpResponse
"""A response of the server's, perhaps streamed already, or a whole one for the middleware to send."""

Plane = Callable[[Exchange], Awaitable[Answer]]
"""Answers the requests of one kind of client."""


def _target(target: str) -> str:
    """Path and query of a request target; the absolute form of RFC 9112 loses scheme and authority."""
    if not target.startswith(("http://", "https://")):
        return target
    rest = target.partition("://")[2]
    slash, question = rest.find("/"), rest.find("?")
    if slash < 0 or 0 <= question < slash:
        return "/" + (rest[question:] if question >= 0 else "")
    return rest[slash:]
