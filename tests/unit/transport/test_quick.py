"""The quick way with planes made for the test: what waits, what is logged, what may be written."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.web import Response, StreamResponse

from entrepot.transport.connection import ConnectionServer
from entrepot.transport.exchange import Answer, Exchange
from entrepot.transport.message import HttpResponse
from entrepot.transport.middleware import Access, Middleware, build_server
from entrepot.transport.quick import FIELDS_BYTES_MAX, QuickAnswers, write
from tests.support.certificate import make_certificates

LISTENER = "http://127.0.0.1:1"


class Plane:
    """Answers by reference."""

    def __init__(self) -> None:
        self.called: list[str] = []

    async def __call__(self, exchange: Exchange) -> Answer:
        reference = exchange.path.rpartition("/")[2]
        self.called.append(reference)
        if reference == "waits":
            await asyncio.sleep(0)
        if reference == "body":
            return HttpResponse(200, {}, await exchange.body.read(10))
        if reference == "fails":
            raise RuntimeError("a bug")
        return HttpResponse(200, {"A": "b"}, exchange.peer.address.encode())


@pytest.fixture(params=["http", "https"])
async def front(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    server_side = client_side = None
    if request.param == "https":
        files = make_certificates(tmp_path, ["localhost"])
        server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=files.ca)
        server_side.load_cert_chain(files.certificate, files.key)
    plane, accesses = Plane(), list[Access]()
    middleware = Middleware(plane, on_access=accesses.append)
    quick = QuickAnswers(plane, middleware, LISTENER)
    acceptor = build_server(middleware.handler(LISTENER), open_lane=quick.open_lane)
    server = await asyncio.get_running_loop().create_server(acceptor, "127.0.0.1", 0, ssl=server_side)
    reader, writer = await asyncio.open_connection(
        *server.sockets[0].getsockname(), ssl=client_side, server_hostname="localhost" if client_side else None
    )
    yield SimpleNamespace(plane=plane, accesses=accesses, acceptor=acceptor, reader=reader, writer=writer)
    writer.close()
    server.close()
    await acceptor.shutdown(1)


async def ask(front: Any, reference: str, *fields: str) -> str:
    lines = [f"GET /v2/a/manifests/{reference} HTTP/1.1", "Host: h", "Authorization: Basic x", *fields]
    front.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    head = (await asyncio.wait_for(front.reader.readuntil(b"\r\n\r\n"), 10)).decode()
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    body: bytes = await front.reader.readexactly(length)
    return f"{head}{body.decode()}"


async def test_an_answer_at_hand_takes_one_call(front: Any) -> None:
    await ask(front, "first")
    answer = await ask(front, "at-hand")
    assert answer.startswith("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 9\r\nDate: ")
    assert answer.endswith("\r\nServer: entrepot\r\n\r\n127.0.0.1")


@pytest.mark.parametrize(("reference", "status"), [("waits", "200"), ("body", "200"), ("fails", "500")])
async def test_what_cannot_be_answered_at_once_begins_again(front: Any, reference: str, status: str) -> None:
    await ask(front, "first")
    front.plane.called.clear()
    assert (await ask(front, reference)).split()[1] == status
    assert front.plane.called == [reference, reference]


async def test_every_answer_is_logged_once(front: Any) -> None:
    for reference in ("first", "at-hand", "waits", "at-hand"):
        await ask(front, reference)
    logged = [access.path.rpartition("/")[2] for access in front.accesses]
    assert logged == ["first", "at-hand", "waits", "at-hand"]
    assert {access.address for access in front.accesses} == {"127.0.0.1"}


async def test_fields_are_bounded(front: Any) -> None:
    await ask(front, "first")
    front.plane.called.clear()
    assert (await ask(front, "large", "X: " + "a" * FIELDS_BYTES_MAX)).split()[1] == "200"
    assert front.plane.called == ["large"]


async def test_a_closed_lane_leaves_all_to_the_server(front: Any) -> None:
    await ask(front, "first")
    acceptor: ConnectionServer = front.acceptor
    for connection in acceptor.connections:
        connection.close_lane()  # type: ignore[attr-defined]
    front.plane.called.clear()
    await ask(front, "waits")
    assert front.plane.called == ["waits"]


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(200, {"A": "b\r\nC: d"}),
        HttpResponse(204),
        Response(status=304),
        StreamResponse(),
    ],
)
def test_what_only_the_server_can_send(answer: Answer) -> None:
    assert write(answer, is_head=False) is None


def test_head_has_the_length_and_not_the_bytes() -> None:
    written = write(Response(body=b"abc"), is_head=True) or b""
    assert (b"Content-Length: 3\r\n" in written, written.endswith(b"\r\n\r\n")) == (True, True)
