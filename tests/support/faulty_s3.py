"""A proxy before an S3 server that does to requests what networks and loaded servers do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HANG_SECONDS = 60.0
ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>by the tests</Message></Error>"


class Fault(Enum):
    """What happens to one request."""

    ERROR_500 = "InternalError"
    SLOW_DOWN = "SlowDown"
    DENIED = "AccessDenied"
    CUT_BEFORE = "the connection ends before the server sees the request"
    CUT_AFTER = "the server does what it is asked, and the answer is lost"
    CUT_BODY = "half of the answer comes"
    HANG = "no answer comes"


_STATUS = {Fault.ERROR_500: 500, Fault.SLOW_DOWN: 503, Fault.DENIED: 403}


@dataclass
class FaultyS3:
    """Does `fault` to the next `times` requests whose method and path `matches`."""

    endpoint: str = ""
    fault: Fault | None = None
    times: int = 0
    matches: Callable[[str, str], bool] = lambda method, path: True
    done: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def do(self, fault: Fault, times: int = 1, matches: Callable[[str, str], bool] = lambda method, path: True) -> None:
        """Plan a fault; one plan at a time."""
        with self._lock:
            self.fault, self.times, self.matches, self.done = fault, times, matches, 0

    def next_fault(self, method: str, path: str) -> Fault | None:
        """What happens to this request."""
        with self._lock:
            self.seen.append((method, path))
            if self.done >= self.times or not self.matches(method, path):
                return None
            self.done += 1
            return self.fault


class ProxyServer(ThreadingHTTPServer):
    """The proxy's socket, with what its connections need."""

    daemon_threads = True

    def __init__(self, plan: FaultyS3, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.upstream = plan, urlsplit(upstream)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: ProxyServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.plan.next_fault(self.command, self.path)
        if fault is Fault.HANG:
            self.server.plan.stopped.wait(HANG_SECONDS)
        if fault in (Fault.HANG, Fault.CUT_BEFORE):
            self.close_connection = True
            return
        if fault in _STATUS:
            self._answer(_STATUS[fault], {}, ERROR.format(fault.value).encode())
            return
        status, headers, data = self._forward(body)
        if fault is Fault.CUT_AFTER:
            self.close_connection = True
            return
        self._answer(status, headers, data, cut=fault is Fault.CUT_BODY)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the names that http.server calls

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(
            self.server.upstream.hostname or "", self.server.upstream.port, timeout=30
        )
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], data: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = cut

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def faulty(upstream: str) -> Iterator[FaultyS3]:
    """A proxy on a port of its own until the block ends."""
    plan = FaultyS3()
    server = ProxyServer(plan, upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    plan.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield plan
    finally:
        plan.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
