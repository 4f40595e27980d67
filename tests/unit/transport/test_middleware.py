"""What every request passes through, over a real socket with a plane made for the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp.web import Response, StreamResponse

from entrepot.transport.connection import HEAD_BYTES_MAX
from entrepot.transport.exchange import Exchange
from entrepot.transport.message import BodyTooLarge
from entrepot.transport.middleware import Access, Middleware, build_server
from entrepot.transport.watchdog import Watchdog

Talk = Callable[[bytes], Awaitable[bytes]]


async def echo(exchange: Exchange) -> StreamResponse:
    """Answers by path, so that each test asks for what it needs."""
    match exchange.path:
        case "/read":
            return Response(body=await exchange.body.read(1000))
        case "/fail":
            raise RuntimeError("a bug")
        case "/peer":
            return Response(text=f"{exchange.peer.address} {exchange.peer.is_secure} {exchange.host}")
        case "/limit":
            try:
                await exchange.body.read(5)
            except BodyTooLarge:
                return Response(status=413)
        case "/stream":
            response = StreamResponse(headers={"Content-Length": str(1 << 30)})
            await response.prepare(exchange.request)
            while True:
                await response.write(bytes(1 << 20))
    return Response(text=f"{exchange.path}?{exchange.query}")


class Front:
    """A server on a free port and a way to talk to it in bytes."""

    def __init__(self) -> None:
        self.port = 0
        self.accesses: list[Access] = []

    async def talk(self, sent: bytes) -> bytes:
        """Everything that comes back until the server closes or nothing more is due."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    made = Front()
    middleware = Middleware(echo, watchdog=Watchdog(0.1), on_access=made.accesses.append)
    acceptor = build_server(middleware.handler("http://127.0.0.1:1"), idle_seconds=0.3)
    server = await asyncio.get_running_loop().create_server(acceptor, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await acceptor.shutdown(1)


def request(line: str, *headers: str, body: bytes = b"", close: bool = True) -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: h", *headers, *(["Connection: close"] if close else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_plain(front: Front) -> None:
    answer = await front.talk(request("GET /a/b?c=%2Fd"))
    assert answer.endswith(b"\r\n\r\n/a/b?c=%2Fd")
    (access,) = front.accesses
    assert (access.method, access.path, access.status, access.address) == ("GET", "/a/b", 200, "127.0.0.1")


async def test_absolute_form(front: Front) -> None:
    assert (await front.talk(request("GET http://h/a?b"))).endswith(b"\r\n\r\n/a?b")
    assert (await front.talk(request("GET http://h?b"))).endswith(b"\r\n\r\n/?b")
    assert (await front.talk(request("GET http://h"))).endswith(b"\r\n\r\n/?")


async def test_a_bug_is_a_500_without_details(front: Front) -> None:
    answer = await front.talk(request("GET /fail"))
    assert status(answer) == 500
    assert b"a bug" not in answer


async def test_peer(front: Front) -> None:
    assert (await front.talk(request("GET /peer", "X-Forwarded-For: 9.9.9.9"))).endswith(b"127.0.0.1 False h")


async def test_continue_is_said_when_the_body_is_wanted(front: Front) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(request("PUT /read", "Expect: 100-continue", "Content-Length: 5"))
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hello")
    assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"\r\n\r\nhello")
    writer.close()


async def test_continue_is_not_said_otherwise(front: Front) -> None:
    answer = await front.talk(request("PUT /other", "Expect: 100-continue", "Content-Length: 5", close=False))
    assert status(answer) == 200
    assert b"Connection: close" in answer


async def test_small_unread_bodies_keep_the_connection(front: Front) -> None:
    first = request("PUT /one", "Content-Length: 5", body=b"hello", close=False)
    answer = await front.talk(first + request("GET /two"))
    assert answer.count(b"HTTP/1.1 200") == 2


async def test_large_unread_bodies_end_it(front: Front) -> None:
    answer = await front.talk(request("PUT /one", "Content-Length: 1000000", body=b"x" * 1000, close=False))
    assert status(answer) == 200
    assert b"Connection: close" in answer


async def test_too_large(front: Front) -> None:
    assert status(await front.talk(request("PUT /limit", "Content-Length: 6", body=b"123456"))) == 413
    chunked = request("PUT /limit", "Transfer-Encoding: chunked", body=b"6\r\n123456\r\n0\r\n\r\n")
    assert status(await front.talk(chunked)) == 413


async def test_chunked_and_encoded_bodies_are_taken_as_sent(front: Front) -> None:
    body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    answer = await front.talk(request("PUT /read", "Transfer-Encoding: chunked", "Content-Encoding: gzip", body=body))
    assert answer.endswith(b"\r\n\r\nabcde")


async def test_broken_framing_ends_the_connection(front: Front) -> None:
    answer = await front.talk(request("PUT /read", "Transfer-Encoding: chunked", body=b"zz\r\n"))
    assert b"200 OK" not in answer


async def test_length_beside_chunked_is_refused(front: Front) -> None:
    both = request("PUT /read", "Transfer-Encoding: chunked", "Content-Length: 3", body=b"0\r\n\r\n")
    assert status(await front.talk(both)) == 400


async def test_a_stalled_body_ends_the_connection(front: Front) -> None:
    assert await front.talk(request("PUT /read", "Content-Length: 10", body=b"abc", close=False)) == b""


async def test_slow_headers_end_the_connection(front: Front) -> None:
    assert await front.talk(b"GET / HTTP/1.1\r\nHost: h\r\n") == b""


async def test_header_limits(front: Front) -> None:
    assert status(await front.talk(request("GET /x", "X: " + "y" * 60_000))) == 200
    assert status(await front.talk(request("GET /x", "X: " + "y" * 70_000))) == 400
    assert status(await front.talk(request("GET /" + "y" * 70_000))) == 400


async def test_all_headers_together_are_limited(front: Front) -> None:
    field = b"X-%d: " + b"y" * 60_000 + b"\r\n"
    head = b"".join(field % number for number in range(HEAD_BYTES_MAX // 60_000 + 1))
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    started = asyncio.get_running_loop().time()
    writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n" + head)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    assert asyncio.get_running_loop().time() - started < 0.3, "only idleness ended it"
    writer.close()


async def test_a_body_that_is_read_whole_has_a_time_limit(front: Front) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(request("PUT /read", "Content-Length: 1000", close=False))
    ended = asyncio.create_task(reader.read())
    for _ in range(200):
        if ended.done():
            break
        with contextlib.suppress(ConnectionResetError):
            writer.write(b"x")  # makes progress all the time
            await asyncio.wait([ended], timeout=0.02)
    assert ended.done()
    assert ended.exception() or ended.result() == b""
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /hunter2 HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic hunter2\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n hunter2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nHost: hunter2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: hunter2" + b"y" * 70_000 + b"\r\n\r\n",
        b"<hunter2>\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_neither_shown_nor_logged(
    front: Front, sent: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level("DEBUG"):
        answer = await front.talk(sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (status(answer), body) == (400, b"Bad Request\n")
    assert b"\r\nServer: entrepot" in head
    assert b"aiohttp" not in head
    assert b"Python" not in head
    out, err = capfd.readouterr()
    assert "hunter2" not in caplog.text + out + err
