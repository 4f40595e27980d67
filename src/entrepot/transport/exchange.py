"""Exchanges: one request as the planes meet it, its path raw and its body unread."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

from entrepot.transport.body import RequestBody
from entrepot.transport.message import HttpRequest, Peer

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest
    from multidict import CIMultiDictProxy

    from entrepot.transport.peer import PeerReader
    from entrepot.transport.watchdog import Watchdog


class Exchange:
    """A request under way. Cheap to make: what most requests never ask for is found when asked."""

    __slots__ = ("_id", "_peer", "body", "headers", "host", "method", "path", "query", "request", "watchdog")

    def __init__(self, request: BaseRequest, peers: PeerReader, watchdog: Watchdog) -> None:
        self.request = request
        self.method = request.method
        self.headers: CIMultiDictProxy[str] = request.headers
        self.path, _, self.query = _target(request.raw_path).partition("?")
        """As sent: neither decoded nor normalised."""
        self.watchdog = watchdog
        self.body = RequestBody(request, watchdog)
        self._peer, self.host = peers.read(request.remote or "", self.headers)
        self._id: str | None = None

    @property
    def id(self) -> str:
        """A random UUID: names the request in logs and answers, proves nothing."""
        if self._id is None:
            self._id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        return self._id

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._peer

    def message(self) -> HttpRequest:
        """The request free of the server's types."""
        return HttpRequest(
            method=self.method,
            raw_path=self.path,
            raw_query=self.query,
            headers=self.headers,
            peer=self._peer,
            read_body=self.body.read,
            request_id=self.id,
        )


def _target(target: str) -> str:
    """Path and query of a request target; the absolute form of RFC 9112 loses scheme and authority."""
    if not target.startswith(("http://", "https://")):
        return target
    rest = target.partition("://")[2]
    slash, question = rest.find("/"), rest.find("?")
    if slash < 0 or 0 <= question < slash:
        return "/" + (rest[question:] if question >= 0 else "")
    return rest[slash:]
