"""Quick answers: the same as the server's own in every byte but the date, and never for what only looks like a read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from entrepot.transport.quick import Lane
from tests.support.registry import OTHER_ACCOUNT, RunningRegistry
from tests.support.wire import OCI_INDEX, OCI_MANIFEST, basic, digest_of

LAYER = b"small layer" * 900
BIG = bytes(300 * 1024)
MISSING = "sha256:" + "0" * 64
SERVERS_WAY = "Content-Length: 0"
"""A field that no quick request has, and that changes nothing."""


@pytest.fixture
def quick_ones(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every answer that left the quick way."""
    answers: list[bytes] = []
    answer = Lane.answer

    def noted(lane: Lane, data: bytes) -> bytes | None:
        made = answer(lane, data)
        if made is not None:
            answers.append(made)
        return made

    monkeypatch.setattr(Lane, "answer", noted)
    return answers


@dataclass
class Wire:
    """One connection, spoken to in bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    authorization: str
    quick_ones: list[bytes] = field(default_factory=list)

    async def ask(self, line: str, *fields: str) -> tuple[bytes, dict[str, str], bytes]:
        """One request in one piece; status line, fields and body of its answer."""
        self.writer.write(self.request(line, *fields))
        return await self.answer(is_head=line.startswith("HEAD"))

    def request(self, line: str, *fields: str) -> bytes:
        given = {each.partition(":")[0] for each in fields}
        usual = [each for each in ("Host: h", self.authorization) if each.partition(":")[0] not in given]
        return "\r\n".join([f"{line} HTTP/1.1", *usual, *fields, "", ""]).encode()

    async def answer(self, *, is_head: bool = False) -> tuple[bytes, dict[str, str], bytes]:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode()
        status, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        fields = {name: value for name, value in (line.split(": ", 1) for line in lines) if name != "Date"}
        size = 0 if is_head else int(fields.get("Content-Length", 0))
        return status.encode(), fields, await asyncio.wait_for(self.reader.readexactly(size), 10)


@pytest.fixture
async def wire(sqlite_registry: RunningRegistry, quick_ones: list[bytes]) -> AsyncIterator[Wire]:
    await sqlite_registry.create_repository("app")
    await sqlite_registry.create_repository("app/blobs")
    await sqlite_registry.client.put_image("app", "v1", LAYER)
    await sqlite_registry.client.put_image("app/blobs", "v1", BIG)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sqlite_registry.url.rpartition(":")[2]))
    made = Wire(reader, writer, f"Authorization: {sqlite_registry.client.authorization}", quick_ones)
    await made.ask("GET /v2/")
    yield made
    writer.close()


def reads() -> list[tuple[str, ...]]:
    """Requests that are answered the quick way: a target and further fields."""
    layer, accept = digest_of(LAYER), f"Accept: {OCI_MANIFEST}"
    return [
        ("/v2/app/manifests/v1",),
        ("/v2/app/manifests/v1", accept, "Accept: */*;q=0.1"),
        ("/v2/app/manifests/v1", f"Accept: {OCI_INDEX}"),
        ("/v2/app/manifests/v2",),
        ("/v2/app/manifests/sha256:12",),
        (f"/v2/app/manifests/{MISSING}",),
        ("/v2/nothing/manifests/v1",),
        ("/v2/a_/manifests/v1",),
        ("/v2/app/blobs/manifests/v1",),
        (f"/v2/app/blobs/{layer}",),
        (f"/v2/app/blobs/{MISSING}",),
        (f"/v2/app/blobs/{layer}", "Range: bytes=99999999-"),
        ("/v2/app/manifests/v1", "Authorization: Basic QVdTOng="),
        ("/v2/app/manifests/v1", "Host: 123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("read", reads(), ids="|".join)
async def test_quick_answers_are_the_servers(wire: Wire, method: str, read: tuple[str, ...]) -> None:
    target, *fields = read
    expected = await wire.ask(f"{method} {target}", *fields, SERVERS_WAY)
    wire.quick_ones.clear()
    assert await wire.ask(f"{method} {target}", *fields) == expected
    assert len(wire.quick_ones) == 1
    assert await wire.ask(f"{method} {target}", *fields) == expected


async def test_what_needs_the_connection_or_time_goes_the_servers_way(wire: Wire) -> None:
    layer = digest_of(LAYER)
    for target, field_, status in (
        (f"/v2/app/blobs/blobs/{digest_of(BIG)}", "A: b", b"200"),
        (f"/v2/app/blobs/{layer}", "Range: bytes=0-9", b"206"),
        (f"/v2/app/blobs/{layer}", f'If-None-Match: "{layer}"', b"304"),
        ("/v2/app/manifests/v1", "Expect: 100-continue", b"200"),
        ("/v2/app/manifests/v1?x=1", "A: b", b"200"),
        ("/v2/app/tags/list", "A: b", b"200"),
        ("/v2/app/manifests/v1", "Authorization:", b"401"),
        ("/v2/app//manifests/v1", "A: b", b"400"),
    ):
        assert (await wire.ask(f"GET {target}", field_))[0].split()[1] == status, target
    assert not wire.quick_ones


async def test_requests_in_pieces_and_in_one_are_answered_in_order(wire: Wire) -> None:
    manifest = wire.request("GET /v2/app/manifests/v1")
    wire.writer.write(manifest + wire.request("HEAD /v2/app/manifests/v2") + manifest[:40])
    assert (await wire.answer())[0] == b"HTTP/1.1 200 OK"
    assert (await wire.answer(is_head=True))[0] == b"HTTP/1.1 404 Not Found"
    wire.writer.write(manifest[40:])
    assert (await wire.answer())[0] == b"HTTP/1.1 200 OK"
    assert not wire.quick_ones
    assert (await wire.ask("GET /v2/app/manifests/v1"))[0] == b"HTTP/1.1 200 OK"
    assert wire.quick_ones or (await wire.ask("GET /v2/app/manifests/v1"))[0] == b"HTTP/1.1 200 OK"
    assert wire.quick_ones


async def test_the_rest_of_a_request_is_no_request(wire: Wire) -> None:
    """A field whose value looks like a read stays a field: who shares a connection cannot be made to misread it."""
    first = wire.request("GET /v2/app/manifests/v2")
    wire.writer.write(first + b"DELETE /v2/app/tags/list HTTP/1.1\r\nX: ")
    assert (await wire.answer())[0] == b"HTTP/1.1 404 Not Found"
    wire.writer.write(wire.request("GET /v2/app/manifests/v1"))
    assert (await wire.answer())[0] == b"HTTP/1.1 405 Method Not Allowed"
    assert not wire.quick_ones


async def test_a_body_that_looks_like_a_read_is_a_body(wire: Wire) -> None:
    read = wire.request("GET /v2/app/manifests/v1")
    wire.writer.write(wire.request("PUT /v2/app/manifests/v3", f"Content-Length: {len(read) + 1}") + b" ")
    wire.writer.write(read)
    assert (await wire.answer())[0].split()[1] == b"400"
    assert not wire.quick_ones


async def test_a_connection_is_quick_again_after_a_body(wire: Wire) -> None:
    wire.writer.write(wire.request("PUT /v2/app/manifests/v3", "Content-Length: 2") + b"{}")
    await wire.answer()
    for _ in range(2):
        await wire.ask("GET /v2/app/manifests/v1")
    assert len(wire.quick_ones) == 1


async def test_rights_end_with_the_next_request(wire: Wire, sqlite_registry: RunningRegistry) -> None:
    assert (await wire.ask("GET /v2/app/manifests/v1"))[0] == b"HTTP/1.1 200 OK"
    await sqlite_registry.services.identity.rotate_root_key(sqlite_registry.home.account_id)
    status, fields, _ = await wire.ask("GET /v2/app/manifests/v1")
    assert (status, "WWW-Authenticate" in fields) == (b"HTTP/1.1 401 Unauthorized", True)
    assert len(wire.quick_ones) == 2


async def test_changes_hold_from_the_next_request(wire: Wire, sqlite_registry: RunningRegistry) -> None:
    layer = f"GET /v2/app/blobs/{digest_of(LAYER)}"
    for _ in range(2):
        assert (await wire.ask(layer))[2] == LAYER
    await sqlite_registry.client.send("DELETE", "/v2/app/manifests/v1")
    await sqlite_registry.client.send("DELETE", f"/v2/app/blobs/{digest_of(LAYER)}")
    assert (await wire.ask(layer))[0] == b"HTTP/1.1 404 Not Found"
    assert (await wire.ask("HEAD /v2/app/manifests/v1"))[0] == b"HTTP/1.1 404 Not Found"
    assert len(wire.quick_ones) >= 3


async def test_bytes_in_memory_are_only_for_who_may_have_them(wire: Wire, sqlite_registry: RunningRegistry) -> None:
    layer = f"/v2/app/blobs/{digest_of(LAYER)}"
    for _ in range(2):
        assert (await wire.ask(f"GET {layer}"))[2] == LAYER
    stranger = basic(await sqlite_registry.password(OTHER_ACCOUNT, sqlite_registry.home))
    for target in (layer, f"/v2/app/blobs/blobs/{digest_of(LAYER)}"):
        status, _, body = await wire.ask(f"GET {target}", f"Authorization: {stranger}")
        assert (status, LAYER in body) == (b"HTTP/1.1 403 Forbidden", False)
    status, _, body = await wire.ask(f"GET /v2/app/blobs/blobs/{digest_of(LAYER)}")
    assert (status, LAYER in body) == (b"HTTP/1.1 404 Not Found", False)
