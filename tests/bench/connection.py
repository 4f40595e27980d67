"""Load generators: raw sockets in processes of their own, curl for large bodies, wrk for small answers.

Each costs much less per request than the server it measures, so that the server is the bottleneck.
"""

from __future__ import annotations

import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
END = b"\r\n\r\n"


class RawConnection:
    """One kept-alive connection that reads answers by their Content-Length."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())

    def exchange(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, str]:
        """One request and its answer; status and Location."""
        kind_line = f"Content-Type: {kind}\r\n" if kind else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._lines}{kind_line}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = bytearray()
        while END not in answer:
            self._receive(answer)
        end = answer.index(END) + len(END)
        text = answer[:end].decode()
        length = re.search(r"(?i)\r\ncontent-length: (\d+)", text)
        while method != "HEAD" and length and len(answer) < end + int(length[1]):
            self._receive(answer)
        location = re.search(r"(?i)\r\nlocation: (\S+)", text)
        return int(text[9:12]), location[1] if location else ""

    def _receive(self, answer: bytearray) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed after {bytes(answer)!r}")
        answer += data

    def close(self) -> None:
        self._socket.close()


def head_flood(port: int, path: str, headers: Mapping[str, str], connections: int, seconds: float) -> int:
    """HEAD over and over on several connections at once; how many were answered with 200."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **headers}.items())
    request = f"HEAD {path} HTTP/1.1\r\n{lines}\r\n".encode()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    poll, by_number, answered = select.epoll(), {each.fileno(): each for each in sockets}, 0
    for each in sockets:
        poll.register(each, select.EPOLLIN)
        each.sendall(request)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for number, _ in poll.poll(1):
            answer = by_number[number].recv(65536)
            if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(END):
                raise RuntimeError(f"HEAD {path}: {answer!r}")
            answered += 1
            by_number[number].sendall(request)
    poll.close()
    for each in sockets:
        each.close()
    return answered


def in_processes(count: int, function: Callable[..., T], *arguments: object) -> list[T]:
    """Run a function in several processes at once; their results."""
    with ProcessPoolExecutor(count, mp_context=get_context("fork")) as pool:
        return [done.result() for done in [pool.submit(function, *arguments) for _ in range(count)]]


def wrk(port: int, path: str, headers: Mapping[str, str], connections: int, seconds: int) -> float:
    """GET over and over; requests per second, all of them 2xx."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is missing (Debian: apt-get install wrk)")
    options = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    command = [program, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", *options]
    printed = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if rate is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(printed)
    return float(rate[1])


def curl(port: int, paths: Sequence[str], headers: Mapping[str, str], options: Sequence[str] = ()) -> list[str]:
    """One curl per path, all at once; what `--write-out` printed. Fails with any of them."""
    program = [shutil.which("curl") or "curl", "--silent", "--show-error", "--fail"]
    program += [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    running = [
        subprocess.Popen(
            [*program, *options, f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for path in paths
    ]
    outputs = [each.communicate() for each in running]
    for each, (_, error) in zip(running, outputs, strict=True):
        if each.returncode:
            raise RuntimeError(f"curl: {error.decode()}")
    return [out.decode() for out, _ in outputs]
