"""Accepting in turn: even among those who come, and never waiting long for one who does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from entrepot.app.acceptor import Acceptor, ConnectionCounts, Turn
from tests.support.certificate import make_certificates
from tests.support.poll import poll_until

WAIT_SECONDS = 5


class Worker:
    """Accepts in its turn; its protocol says when it ends, as `ConnectionServer` does."""

    def __init__(self, listening: socket.socket, turn: Turn, context: ssl.SSLContext | None = None) -> None:
        self.turn, self.peers = turn, []  # type: ignore[var-annotated]  # what the transport says
        self.acceptor = Acceptor(listening.dup(), lambda: Greeter(self), context, turn)


class Greeter(asyncio.Protocol):
    """Says `hello`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._worker.peers.append(transport.get_extra_info("peername"))
        cast("asyncio.WriteTransport", transport).write(b"hello")

    def connection_lost(self, exc: Exception | None) -> None:
        self._worker.turn.give_up()


class Place:
    """A listening socket, the counts of two workers, and clients."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.counts = ConnectionCounts(2)
        self.workers: list[Worker] = []
        self.clients: list[asyncio.StreamWriter] = []

    def work(self, index: int, context: ssl.SSLContext | None = None) -> Worker:
        """Begin to accept in one of the two places."""
        self.workers.append(Worker(self.socket, Turn(self.counts, index), context))
        return self.workers[-1]

    async def connect(self, context: ssl.SSLContext | None = None) -> asyncio.StreamWriter:
        """A connection that somebody has taken."""
        async with asyncio.timeout(WAIT_SECONDS):
            reader, writer = await asyncio.open_connection(*self.socket.getsockname(), ssl=context)
            assert await reader.readexactly(5) == b"hello"
        self.clients.append(writer)
        return writer

    async def shares(self, *expected: int) -> None:
        """The workers' numbers of connections, once they are these."""

        async def are_there() -> bool:
            return tuple(self.counts._counts[: len(expected)]) == expected

        await poll_until(are_there, seconds=WAIT_SECONDS)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    for client in made.clients:
        client.close()
    for worker in made.workers:
        worker.acceptor.close()
        worker.acceptor.cut()
    made.socket.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("at_once", [True, False])
async def test_connections_are_spread_evenly(place: Place, at_once: bool) -> None:
    place.work(0)
    place.work(1)
    if at_once:
        await asyncio.gather(*(place.connect() for _ in range(8)))
    else:
        for _ in range(8):
            await place.connect()
    await place.shares(4, 4)


async def test_a_worker_that_lost_connections_gets_the_next_ones(place: Place) -> None:
    first, _ = place.work(0), place.work(1)
    for _ in range(6):
        await place.connect()
    ports = {peer[1] for peer in first.peers}
    for client in place.clients:
        if client.get_extra_info("sockname")[1] in ports:
            client.close()
    await place.shares(0, 3)
    for _ in range(3):
        await place.connect()
    await place.shares(3, 3)


async def test_one_that_does_not_come_keeps_nobody_waiting(place: Place) -> None:
    place.work(0)
    place.counts.put(1, 0)  # a worker that stands still
    for number in range(3):
        await place.connect()
        assert place.counts._counts[0] == number + 1


async def test_nothing_is_left_to_a_place_where_nobody_serves(place: Place) -> None:
    worker = place.work(0)
    await place.connect()
    assert worker.turn.is_mine()
    place.counts.put(1, 0)
    assert not worker.turn.is_mine()
    place.counts.clear(1)
    assert worker.turn.is_mine()


async def test_a_successor_writes_over_what_its_predecessor_wrote_last(place: Place) -> None:
    old, new = Turn(place.counts, 0), Turn(place.counts, 0)
    for _ in range(7):
        old.take()
    old.stop()
    assert new.is_mine()
    assert place.counts._counts[0] == 0
    old.give_up()
    assert place.counts._counts[0] == 0


async def test_among_many_a_small_difference_does_not_matter(place: Place) -> None:
    turn = Turn(place.counts, 0)
    place.counts.put(1, 80)
    for _ in range(90):
        turn.take()
    assert turn.is_mine()
    turn.take()
    assert not turn.is_mine()


async def test_who_closes_leaves_the_queue_to_the_others(place: Place) -> None:
    place.work(0).acceptor.close()
    place.work(1)
    place.counts.clear(0)
    await place.connect()
    await place.shares(place.counts._counts[0], 1)


async def test_close_while_it_leaves_connections_to_others(place: Place) -> None:
    worker = place.work(0)
    place.counts.put(1, 0)
    await place.connect()
    waiting = asyncio.create_task(place.connect())
    await asyncio.sleep(0.005)
    worker.acceptor.close()
    await asyncio.sleep(0.05)
    assert len(worker.peers) == 1
    place.work(1)
    await waiting
    await place.shares(1, 1)


async def test_tls(place: Place, tmp_path: Path) -> None:
    made = make_certificates(tmp_path, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    trusting = ssl.create_default_context(cafile=str(made.ca))
    place.work(0, context)
    place.work(1, context)
    for _ in range(4):
        await place.connect(trusting)
    await place.shares(2, 2)


async def test_a_failed_handshake_counts_no_more(place: Place, tmp_path: Path) -> None:
    made = make_certificates(tmp_path, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    place.work(0, context)
    reader, writer = await asyncio.open_connection(*place.socket.getsockname())
    await place.shares(1)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(WAIT_SECONDS):
        while await reader.read(100):
            pass
    writer.close()
    await place.shares(0)


async def test_a_handshake_under_way_can_be_cut(place: Place, tmp_path: Path) -> None:
    made = make_certificates(tmp_path, ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    worker = place.work(0, context)
    reader, writer = await asyncio.open_connection(*place.socket.getsockname())
    await place.shares(1)
    worker.acceptor.cut()
    async with asyncio.timeout(WAIT_SECONDS):
        assert await reader.read(100) == b""
    writer.close()
    await place.shares(0)


async def test_no_descriptor_left_is_survived(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("entrepot.app.acceptor.FAILED_ACCEPT_SECONDS", 0.01)
    worker = place.work(0)
    refusing = Refusing(worker.acceptor._socket, times=3)
    worker.acceptor._socket = refusing  # type: ignore[assignment]  # as far as it is used
    await place.connect()
    assert refusing.times == 0


class Refusing:
    """A listening socket from which the kernel gives nothing the first times."""

    def __init__(self, one: socket.socket, times: int) -> None:
        self._one, self.times = one, times

    def fileno(self) -> int:
        return self._one.fileno()

    def close(self) -> None:
        self._one.close()

    def accept(self) -> tuple[socket.socket, object]:
        if self.times:
            self.times -= 1
            raise OSError(24, "Too many open files")
        return self._one.accept()
