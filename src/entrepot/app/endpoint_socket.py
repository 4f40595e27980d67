"""Sockets of private endpoints: the supervisor binds each when the first worker asks, and hands it to all who ask.

    worker ──"bind URL"──────────────▶ supervisor      binds it, or has it already
           ◀──{"url": URL} + socket───                 or {"url": URL, "problem": why not}
           ──"listening URL ENDPOINT"▶                 once all workers have said so:
           ◀──{"url", "endpoint"}─────                 everybody listens
           ──"unbind URL"────────────▶                 closed when nobody has it any more:
           ◀──{"url", "is_closed"}────

Words come through the pipe by which a child is heard, answers through a socket of its own. See docs/adr/0024.
"""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final, NamedTuple

from entrepot.app.child import Child
from entrepot.app.listener import BoundListener, Listener, ListenerError, bind

MESSAGE_BYTES_MAX: Final = 4_096
WORDS: Final = ("bind", "listening", "unbind")
"""What a worker says about sockets."""


class Message(NamedTuple):
    """What a worker is told."""

    url: str
    socket: socket.socket | None = None
    problem: str | None = None
    endpoint: str | None = None
    """Every worker listens on the URL for that endpoint."""
    is_closed: bool = False
    """Nobody listens on it any more."""


def receive(channel: socket.socket) -> Message | None:
    """The next message to a worker; None when there is none now."""
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES_MAX, 1)
    except (BlockingIOError, InterruptedError):
        return None
    if not data:
        return None
    found: dict[str, Any] = json.loads(data)
    return Message(socket=socket.socket(fileno=descriptors[0]) if descriptors else None, **found)


class EndpointSockets:
    """The supervisor's side."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._bound: dict[str, BoundListener] = {}
        self._holders: dict[str, set[int]] = defaultdict(set)
        """Processes that have a copy, by URL."""
        self._listening: dict[tuple[str, str], set[int]] = defaultdict(set)
        """Processes that accept from it, by URL and endpoint."""

    def hear(self, child: Child, word: str, text: str, serving: Collection[Child]) -> None:
        """Do what a worker asks; `serving` has a process of every place that is filled."""
        url, _, endpoint = text.partition(" ")
        if word == "bind":
            self._hand_out(child, url)
        elif word == "unbind":
            self._take_back(child, url)
        else:
            listening = self._listening[url, endpoint]
            listening.add(child.pid)
            if len(serving) == self._workers and all(one.pid in listening for one in serving):
                for one in serving:
                    _tell(one, {"url": url, "endpoint": endpoint})

    def forget(self, child: Child) -> None:
        """A process has ended; its sockets stay for its successor."""
        for pids in (*self._holders.values(), *self._listening.values()):
            pids.discard(child.pid)

    def close_unused(self) -> None:
        """Close what no worker has asked for; called when one serves that has asked for all that it wants."""
        for url in [url for url in self._bound if not self._holders[url]]:
            self._close(url)

    def close(self) -> None:
        """Close everything."""
        for url in list(self._bound):
            self._close(url)

    def _hand_out(self, child: Child, url: str) -> None:
        if url not in self._bound:
            try:
                self._bound[url] = bind(Listener.parse(url), self._workers)
            except (ListenerError, ValueError) as error:
                _tell(child, {"url": url, "problem": str(error)})
                return
        self._holders[url].add(child.pid)
        _tell(child, {"url": url}, self._bound[url].socket)

    def _take_back(self, child: Child, url: str) -> None:
        self._holders[url].discard(child.pid)
        for (other, _), pids in self._listening.items():
            if other == url:
                pids.discard(child.pid)
        if not self._holders[url]:
            self._close(url)
            _tell(child, {"url": url, "is_closed": True})

    def _close(self, url: str) -> None:
        self._holders.pop(url, None)
        if (bound := self._bound.pop(url, None)) is not None:
            bound.close()
        for key in [key for key in self._listening if key[0] == url]:
            del self._listening[key]


def _tell(child: Child, message: dict[str, Any], handed: socket.socket | None = None) -> None:
    """Never waits: a worker that takes nothing asks again."""
    data, descriptors = json.dumps(message).encode(), [handed.fileno()] if handed else []
    with suppress(BlockingIOError, BrokenPipeError, ConnectionError):
        socket.send_fds(child.channel, [data], descriptors)
