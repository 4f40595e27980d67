"""One upload whose requests go to different workers, and one worker killed while both are busy."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice

from tests.faults.conftest import EVERY_ENCRYPTION
from tests.support.poll import wait_until
from tests.support.registry_client import OCTETS, RegistryClient, digest_of, exchange, with_digest
from tests.support.server import Server

pytestmark = EVERY_ENCRYPTION

ODD = 300_007
"""Bytes of a chunk: no multiple of anything the store works with."""


def _pieces(data: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(start, data[start : start + size]) for start in range(0, len(data), size)]


def test_patches_alternate_between_workers(
    server: Server, client: RegistryClient, data: Callable[[int], bytes]
) -> None:
    first, second = server.worker_pids()
    layer = data(7 * ODD + 5)
    workers = cycle((first, second))
    started = client.request("POST", "/v2/faults/blobs/uploads/", b"", worker=next(workers)).expect(202)
    location = started.location
    for start, piece in _pieces(layer, ODD):
        ranges = {"Content-Range": f"{start}-{start + len(piece) - 1}"}
        answer = client.request("PATCH", location, piece, OCTETS | ranges, worker=next(workers)).expect(202)
        assert answer.headers["range"] == f"0-{start + len(piece) - 1}"
        location = answer.location
    digest = digest_of(layer)
    client.request("PUT", with_digest(location, digest), b"", worker=next(workers)).expect(201)
    for worker in (first, second):
        got = client.request("GET", f"/v2/faults/blobs/{digest}", worker=worker).expect(200)
        assert got.body == layer


def test_chunked_patches_alternate_between_workers(
    server: Server, client: RegistryClient, data: Callable[[int], bytes]
) -> None:
    """As docker sends them: without a length."""
    first, second = server.worker_pids()
    layer = data(2_500_001)
    location = client.request("POST", "/v2/faults/blobs/uploads/", b"", worker=first).expect(202).location
    for (_, piece), worker in zip(_pieces(layer, 1_000_003), cycle((second, first)), strict=False):
        small = [piece[at : at + 65_536] for at in range(0, len(piece), 65_536)]
        location = client.request("PATCH", location, small, OCTETS, worker=worker).expect(202).location
    client.request("PUT", with_digest(location, digest_of(layer)), b"", worker=first).expect(201)
    assert client.request("GET", f"/v2/faults/blobs/{digest_of(layer)}", worker=second).body == layer


def test_what_one_worker_acknowledges_the_other_shows(server: Server, client: RegistryClient) -> None:
    """Tags, deletions and repositories hold from the next request on, wherever it goes."""
    first, second = server.worker_pids()
    for number, worker in zip(range(10), cycle((first, second)), strict=False):
        other = second if worker == first else first
        digest = client.push_image("faults", "moving", [b"layer %d" % number])
        head = client.request("HEAD", "/v2/faults/manifests/moving", worker=other).expect(200)
        assert head.headers["docker-content-digest"] == digest
        client.request("DELETE", f"/v2/faults/manifests/{digest}", worker=worker).expect(202)
        client.request("HEAD", "/v2/faults/manifests/moving", worker=other).expect(404)


@dataclass
class Reader:
    """Asks for a manifest over one connection as long as told, and keeps what went wrong."""

    client: RegistryClient
    connection: http.client.HTTPConnection
    answers: int = 0
    failures: list[Exception] = field(default_factory=list)

    def read_until(self, stop: threading.Event) -> None:
        """Reconnect after a failure and go on."""
        while not stop.is_set():
            try:
                path = "/v2/faults/manifests/latest"
                exchange(self.connection, "GET", path, None, self.client.headers).expect(200)
                self.answers += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(error)
                self.connection.close()
                self.connection.connect()
        self.connection.close()


def _all_advance(readers: list[Reader], count: int) -> None:
    marks = [reader.answers + count for reader in readers]
    wait_until(lambda: all(reader.answers >= mark for reader, mark in zip(readers, marks, strict=True)))


def test_a_killed_worker_takes_only_its_connections(server: Server, client: RegistryClient) -> None:
    client.push_image("faults", "latest", [b"a layer"])
    doomed, survivor = server.worker_pids()
    kinds = islice(cycle((doomed, survivor)), 8)
    readers = [Reader(client, client.connect(worker)) for worker in kinds]
    stop = threading.Event()
    threads = [threading.Thread(target=reader.read_until, args=(stop,)) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        _all_advance(readers, 20)
        os.kill(doomed, signal.SIGKILL)
        _all_advance(readers, 50)
        wait_until(lambda: len(set(server.worker_pids()) - {doomed}) == 2, what="a successor")
        _all_advance(readers, 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [len(reader.failures) for reader in readers] == list(_expected(len(readers)))


def _expected(count: int) -> Iterator[int]:
    """One failure on each connection of the killed worker, none on the others."""
    return islice(cycle((1, 0)), count)
