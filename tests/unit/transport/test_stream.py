"""Large answers over a real socket: whole, broken, stalled."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp.web import StreamResponse

from entrepot.transport import stream
from entrepot.transport.exchange import Exchange
from entrepot.transport.middleware import Middleware, build_server
from entrepot.transport.watchdog import Watchdog

LENGTH = 8 * 1024 * 1024
CLOSED: list[str] = []
WAITERS: list[asyncio.Event] = []


async def pieces(total: int, fails_at: int | None = None) -> AsyncIterator[bytes]:
    """Bytes, up to where they fail; notes when it is closed."""
    try:
        step = min(1 << 20, total // 4 or 1)
        for start in range(0, total, step):
            if fails_at is not None and start >= fails_at:
                raise ValueError("a bad frame")
            yield b"x" * min(step, total - start)
    finally:
        CLOSED.append("closed")
        for waiter in WAITERS:
            waiter.set()


async def plane(exchange: Exchange) -> StreamResponse:
    length = int(exchange.query) if exchange.query else LENGTH
    headers = {"Content-Length": str(length)}
    match exchange.path:
        case "/broken":
            return await stream.send(exchange, 200, headers, length, pieces(length, length // 2))
        case "/short":
            return await stream.send(exchange, 200, headers, length, pieces(length // 2))
        case "/bytes":
            return await stream.send_bytes(exchange, 200, {}, b"y" * length)
    return await stream.send(exchange, 206, headers, length, pieces(length))


@pytest.fixture
async def port() -> AsyncIterator[int]:
    CLOSED.clear()
    WAITERS.clear()
    front = build_server(Middleware(plane, watchdog=Watchdog(0.2)).handler("http://h"))
    server = await asyncio.get_running_loop().create_server(front, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await front.shutdown(1)


async def get(port: int, target: str, method: str = "GET") -> tuple[bytes, bytes]:
    """Head and body until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    try:
        head, _, body = (await asyncio.wait_for(_all(reader), 20)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return head, body


async def _all(reader: asyncio.StreamReader) -> bytes:
    received = bytearray()
    try:
        while data := await reader.read(1 << 20):
            received += data
    except ConnectionResetError:
        pass
    return bytes(received)


@pytest.mark.parametrize("length", [0, 1, stream.WHOLE_BYTES_MAX, stream.WHOLE_BYTES_MAX + 1, LENGTH])
async def test_whole(port: int, length: int) -> None:
    head, body = await get(port, f"/whole?{length}")
    assert head.startswith(b"HTTP/1.1 206 ")
    assert b"Server: entrepot" in head
    assert len(body) == length
    assert CLOSED == ["closed"]


@pytest.mark.parametrize("length", [3, LENGTH])
async def test_bytes_at_hand(port: int, length: int) -> None:
    head, body = await get(port, f"/bytes?{length}")
    assert f"Content-Length: {length}".encode() in head
    assert body == b"y" * length


@pytest.mark.parametrize("path", ["/broken", "/short"])
async def test_a_broken_one_never_ends_cleanly(port: int, path: str) -> None:
    head, body = await get(port, path)
    assert f"Content-Length: {LENGTH}".encode() in head
    assert len(body) < LENGTH
    assert CLOSED == ["closed"]


@pytest.mark.parametrize("path", ["/broken", "/short"])
async def test_a_small_one_is_a_500(port: int, path: str) -> None:
    head, _ = await get(port, f"{path}?1000")
    assert head.startswith(b"HTTP/1.1 500 ")


async def test_a_reader_that_stalls_is_given_up(port: int) -> None:
    closed = asyncio.Event()
    WAITERS.append(closed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(f"GET /whole?{1 << 30} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    async with asyncio.timeout(20):
        await reader.read(1)
        await closed.wait()  # nothing is read, so only the server's patience ends this
    writer.close()
