"""HTTP messages as the planes see them, free of the server's types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from multidict import CIMultiDictProxy

from entrepot.domain.passage import Gate


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, from the socket or, behind a trusted proxy, from its headers."""

    address: str
    is_secure: bool
    listener: str
    """URL of the listener that accepted the connection."""
    gate: Gate | None = None
    """The private endpoint whose socket accepted it."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request whose body is still on the wire."""

    method: str
    raw_path: str
    """As sent: neither decoded nor normalised, without the query."""
    raw_query: str
    headers: CIMultiDictProxy[str]
    peer: Peer
    read_body: Callable[[int], Awaitable[bytes]]
    """Read the whole body; raises BodyTooLarge beyond that many bytes."""
    request_id: str = ""
    """A random UUID that also stands in the access log."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class BodyTooLarge(Exception):
    """The body has more bytes than the reader takes."""
