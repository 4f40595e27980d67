"""Uploads that are slow: fine for as long as they move, cut where they stand still, and what came is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.database import SqliteAddress
from tests.support.poll import poll_until
from tests.support.registry import RunningRegistry, running_registry
from tests.support.wire import digest_of

STALL_SECONDS = 0.6
PIECE, PIECES = b"slowly" * 1_000, 12
PAUSE_SECONDS = STALL_SECONDS / 4
"""The whole upload takes three times as long as it may stand still."""


@pytest.fixture
async def registry(sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    async with running_registry(sqlite_address, tmp_path / "data", stall_timeout_seconds=STALL_SECONDS) as running:
        await running.create_repository("app")
        yield running


async def slowly() -> AsyncIterator[bytes]:
    for _ in range(PIECES):
        yield PIECE
        await asyncio.sleep(PAUSE_SECONDS)


async def start(registry: RunningRegistry) -> str:
    return (await registry.client.send("POST", "/v2/app/blobs/uploads/")).headers["Location"]


@pytest.mark.parametrize("has_length", [True, False], ids=["with a length", "chunked"])
async def test_slow_is_fine(registry: RunningRegistry, has_length: bool) -> None:
    location, data = await start(registry), PIECE * PIECES
    headers = {"Content-Length": str(len(data))} if has_length else {}
    began = asyncio.get_running_loop().time()
    assert (await registry.client.send("PATCH", location, headers, slowly())).status == 202
    assert asyncio.get_running_loop().time() - began > 2 * STALL_SECONDS
    assert (await registry.client.send("PUT", f"{location}?digest={digest_of(data)}")).status == 201
    assert (await registry.client.send("GET", f"/v2/app/blobs/{digest_of(data)}")).body == data


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, however it does."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
async def test_no_progress_is_not(registry: RunningRegistry, framing: str, method: str) -> None:
    """The connection ends without an answer; a session that was appended to goes on behind what came."""
    location, data = await start(registry), PIECE * 2
    query = f"?digest={digest_of(data)}" if method == "PUT" else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(registry.url.rpartition(":")[2]))
    lines = [f"{method} {location}{query} HTTP/1.1", "Host: h", f"Authorization: {registry.client.authorization}"]
    body = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if "chunked" in framing else PIECE
    writer.write("\r\n".join([*lines, framing]).encode() + b"\r\n\r\n" + body)
    async with asyncio.timeout(20):
        assert await rest_of(reader) == b""
    writer.close()

    async def is_kept() -> bool:
        return (await registry.client.send("GET", location)).headers["Range"] == f"0-{len(PIECE) - 1}"

    assert await poll_until(is_kept)
    await registry.client.send("PATCH", location, {"Content-Range": f"{len(PIECE)}-{len(data) - 1}"}, PIECE)
    assert (await registry.client.send("PUT", f"{location}?digest={digest_of(data)}")).status == 201
