"""Connections that break off: what they held goes at once, not when a full collection of garbage comes round."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from entrepot.domain.limit import MIB
from tests.support.registry import RunningRegistry

CLIENTS = 12
PIECE = bytes(700_000)
LEFT_BYTES_MAX = CLIENTS * 128 * 1024


@pytest.fixture
def traced() -> Iterator[None]:
    """Memory is counted, and cycles stay."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


async def held(is_due: Callable[[int], bool]) -> int:
    """Traced bytes, once they are as they should be or ten seconds have passed."""
    for _ in range(200):
        if is_due(now := tracemalloc.get_traced_memory()[0]):
            break
        await asyncio.sleep(0.05)
    return now


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 100000000"])
async def test_uploads(sqlite_registry: RunningRegistry, framing: str) -> None:
    await sqlite_registry.create_repository("app")
    paths = [await start(sqlite_registry) for _ in range(CLIENTS)]
    before = tracemalloc.get_traced_memory()[0]
    body = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if "chunked" in framing else PIECE
    writers = [await send(sqlite_registry, f"PATCH {path}", framing, body=body) for path in paths]
    assert await held(lambda now: now >= before + CLIENTS * MIB) >= before + CLIENTS * MIB
    for writer in writers:
        writer.close()
    del writers, writer
    assert await held(lambda now: now < before + LEFT_BYTES_MAX) < before + LEFT_BYTES_MAX


@pytest.mark.usefixtures("traced")
async def test_downloads(sqlite_registry: RunningRegistry) -> None:
    await sqlite_registry.create_repository("app")
    digest = await sqlite_registry.client.put_blob("app", bytes(16 * MIB))
    await sqlite_registry.client.send("GET", f"/v2/app/blobs/{digest}", {"Range": "bytes=0-9"})
    before = tracemalloc.get_traced_memory()[0]
    writers = [await send(sqlite_registry, f"GET /v2/app/blobs/{digest}") for _ in range(CLIENTS)]
    assert await held(lambda now: now >= before + CLIENTS * MIB) >= before + CLIENTS * MIB
    for writer in writers:
        writer.transport.abort()
    del writers, writer
    assert await held(lambda now: now < before + LEFT_BYTES_MAX) < before + LEFT_BYTES_MAX


async def start(registry: RunningRegistry) -> str:
    answer = await registry.client.send("POST", "/v2/app/blobs/uploads/")
    return answer.headers["Location"]


async def send(registry: RunningRegistry, line: str, *headers: str, body: bytes = b"") -> asyncio.StreamWriter:
    """Send one request and read nothing."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(registry.url.rpartition(":")[2]), limit=1024)
    lines = [f"{line} HTTP/1.1", "Host: h", f"Authorization: {registry.client.authorization}", *headers]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return writer
