"""HTTP as bytes: what cannot be read in one way only is refused, what clients do is taken, bodies are not asked for."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.registry import RunningRegistry
from tests.support.wire import digest_of

DIGEST = digest_of(b"layer")
POST = f"POST /v2/app/blobs/uploads/?digest={DIGEST} HTTP/1.1"
BLOB = f"/v2/app/blobs/{DIGEST}"
CHUNKED = "Transfer-Encoding: chunked"
MANIFEST = "Content-Type: application/vnd.oci.image.manifest.v1+json"

REFUSED = {
    "no host": ["GET /v2/ HTTP/1.1"],
    "two hosts": ["GET /v2/ HTTP/1.1", "Host: h", "Host: i"],
    "folded header": ["GET /v2/ HTTP/1.1", "Host: h", "X: a", " b"],
    "space before the colon": ["GET /v2/ HTTP/1.1", "Host : h"],
    "null in a name": ["GET /v2/ HTTP/1.1", "Host: h", "X\0: a"],
    "unknown version": ["GET /v2/ HTTP/9.9", "Host: h"],
    "HTTP/2 preface": ["PRI * HTTP/2.0"],
    "TLS": ["\x16\x03\x01\x02"],
    "asterisk": ["OPTIONS * HTTP/1.1", "Host: h"],
    "authority": ["CONNECT h:443 HTTP/1.1", "Host: h"],
    "beyond ASCII": ["GET /v2/\xe9 HTTP/1.1", "Host: h"],
    "length and chunks": [POST, "Host: h", "Content-Length: 5", CHUNKED],
    "two lengths": [POST, "Host: h", "Content-Length: 5", "Content-Length: 6"],
    "negative length": [POST, "Host: h", "Content-Length: -5"],
    "signed length": [POST, "Host: h", "Content-Length: +5"],
    "boundless length": [POST, "Host: h", "Content-Length: 99999999999999999999999"],
    "length of no layer": [POST, "Host: h", "Content-Length: 99999999999999"],
    "unknown coding": [POST, "Host: h", "Transfer-Encoding: xchunked"],
    "long header": ["GET /v2/ HTTP/1.1", "Host: h", "X: " + "a" * 70_000],
    "many headers": ["GET /v2/ HTTP/1.1", "Host: h", *["X: y"] * 5000],
}
TAKEN = {
    "absolute form": (["GET http://h/v2/ HTTP/1.1", "Host: h"], b"", 200),
    "HTTP/1.0": (["GET /v2/ HTTP/1.0"], b"", 200),
    "body of a GET": ([f"GET {BLOB} HTTP/1.1", "Host: h", "Content-Length: 5"], b"hello", 200),
    "body of a DELETE": (["DELETE /v2/app/manifests/x HTTP/1.1", "Host: h", "Content-Length: 5"], b"hello", 404),
    "upgrade": ([f"GET {BLOB} HTTP/1.1", "Host: h", "Upgrade: h2c", "Connection: Upgrade"], b"", 200),
    "length": ([POST, "Host: h", "Content-Length: 5"], b"layer", 201),
    "chunks": ([POST, "Host: h", CHUNKED], b"2;a=b\r\nla\r\n3\r\nyer\r\n0\r\nX: y\r\n\r\n", 201),
    "no such chunk": ([POST, "Host: h", CHUNKED], b"zz\r\nlayer\r\n0\r\n\r\n", 400),
    "negative chunk": ([POST, "Host: h", CHUNKED], b"-5\r\nlayer\r\n0\r\n\r\n", 400),
    "boundless chunk": ([POST, "Host: h", CHUNKED], b"f" * 18 + b"\r\nlayer\r\n0\r\n\r\n", 400),
    "encoded manifest": (
        ["PUT /v2/app/manifests/x HTTP/1.1", "Host: h", MANIFEST, "Content-Encoding: gzip", "Content-Length: 5"],
        b"layer",
        400,
    ),
}


async def exchange(
    registry: RunningRegistry, lines: list[str], body: bytes = b"", *, login: str | None = None
) -> bytes:
    """What comes back on a connection of its own until it ends or stays silent."""
    login = registry.client.authorization if login is None else login
    lines = [
        *lines,
        *([f"Authorization: {login}"] if login else []),
        *(["Connection: close"] if len(lines) < 4 else []),
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(registry.url.rpartition(":")[2]))
    try:
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        async with asyncio.timeout(20):
            return await reader.read(64 * 1024)
    finally:
        writer.close()


@pytest.fixture
async def app(sqlite_registry: RunningRegistry) -> RunningRegistry:
    await sqlite_registry.create_repository("app")
    await sqlite_registry.client.put_blob("app", b"layer")
    return sqlite_registry


@pytest.mark.parametrize("lines", REFUSED.values(), ids=REFUSED)
async def test_refused(app: RunningRegistry, lines: list[str]) -> None:
    answer = await exchange(app, lines)
    assert answer[9:13] == b"400 ", answer[:300]
    assert b"5\xe9" not in answer
    assert (await app.client.send("GET", "/v2/")).status == 200  # the server goes on


@pytest.mark.parametrize(("lines", "body", "status"), TAKEN.values(), ids=TAKEN)
async def test_taken(app: RunningRegistry, lines: list[str], body: bytes, status: int) -> None:
    answer = await exchange(app, lines, body)
    assert answer[9:12] == b"%d" % status, answer[:300]


async def test_a_body_is_asked_for_once_its_sender_may_send_it(app: RunningRegistry) -> None:
    expect = ["Expect: 100-continue", "Content-Length: 5"]
    answer = await exchange(app, [POST, "Host: h", *expect], b"layer")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    for lines, login, status in (
        ([POST, "Host: h", *expect], "", b"401"),
        ([POST.replace("/app/", "/none/"), "Host: h", *expect], None, b"404"),
        ([POST.replace("/app/", "/NONE/"), "Host: h", *expect], None, b"400"),
        ([POST.replace("sha256:", "md5:"), "Host: h", *expect], None, b"400"),
    ):
        answer = await exchange(app, lines, login=login)  # and no body, though its length is announced
        assert answer[9:12] == status, answer[:300]


async def test_requests_one_after_the_other_without_waiting(app: RunningRegistry) -> None:
    head = f"Host: h\r\nAuthorization: {app.client.authorization}\r\n"
    many = "\r\n".join(f"{method} {BLOB} HTTP/1.1\r\n{head}" for method in ("GET", "HEAD", "GET"))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(app.url.rpartition(":")[2]))
    writer.write(f"{many}Connection: close\r\n\r\n".encode())
    async with asyncio.timeout(20):
        answers = await reader.read()
    writer.close()
    assert (answers.count(b"HTTP/1.1 200 OK"), answers.count(b"\r\n\r\nlayer")) == (3, 2)
