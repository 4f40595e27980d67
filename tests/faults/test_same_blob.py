"""Many clients that push the same over HTTP to two workers at once: one object, and one tag that is one of theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import cycle
from typing import TypeVar

import pytest

from entrepot.store.blob.base import FRAME_BYTES
from tests.support.bytes import files_below
from tests.support.poll import wait_until
from tests.support.registry_client import OCTETS, RegistryClient, digest_of, image_config, image_manifest, with_digest
from tests.support.server import Server

T = TypeVar("T")

CLIENTS = 16
ROUNDS = 5


def at_once(works: list[Callable[[], T]]) -> list[T]:
    """Run all at the same moment, as far as one process can."""
    barrier = threading.Barrier(len(works))

    def begin(work: Callable[[], T]) -> T:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(begin, work) for work in works]]


def objects(server: Server) -> int:
    return len(files_below(server.data_dir / "store" / "blobs"))


def has_objects(server: Server, count: int) -> bool:
    return objects(server) == count


def staged(server: Server) -> int:
    return len(files_below(server.data_dir / "store" / "staging"))


class Session:
    """One client with its session on a worker, and its bytes about to be completed."""

    def __init__(self, client: RegistryClient, worker: int, data: bytes, *, is_staged: bool) -> None:
        self._client, self._data, self._is_staged = client, data, is_staged
        self._connection = client.connect(worker)
        path = "/v2/faults/blobs/uploads/"
        self._location = client.request("POST", path, b"", connection=self._connection).expect(202).location

    def push(self) -> int:
        """The status of the last request."""
        with closing(self._connection):
            rest = self._data
            if self._is_staged:
                self._send("PATCH", self._location, self._data)
                rest = b""
            return self._send("PUT", with_digest(self._location, digest_of(self._data)), rest)

    def _send(self, method: str, path: str, body: bytes) -> int:
        return self._client.request(method, path, body, OCTETS, connection=self._connection).expect(201, 202).status


@pytest.mark.parametrize(
    ("size", "is_staged"),
    [(10_000, False), (FRAME_BYTES * 4 + 3, False), (FRAME_BYTES * 4 + 3, True), (10_000, True)],
    ids=["at once", "large", "large, staged", "staged"],
)
def test_the_same_blob(
    server: Server, client: RegistryClient, data: Callable[[int], bytes], size: int, is_staged: bool
) -> None:
    for number in range(2):
        blob = data(size) + b"%d" % number
        before = objects(server)
        workers = cycle(server.worker_pids())
        sessions = [Session(client, next(workers), blob, is_staged=is_staged) for _ in range(CLIENTS)]
        assert at_once([session.push for session in sessions]) == [201] * CLIENTS
        for worker in server.worker_pids():
            path = f"/v2/faults/blobs/{digest_of(blob)}"
            assert client.request("GET", path, worker=worker).expect(200).body == blob
        wait_until(partial(has_objects, server, before + 1), what="one object")
    wait_until(lambda: staged(server) == 0, what="an empty staging area")


def manifests(client: RegistryClient, count: int) -> list[bytes]:
    """Images that differ, with everything that they need pushed."""
    made = []
    for number in range(count):
        layers = [b"writer %d" % number]
        for blob in (image_config(layers), *layers):
            client.push_blob("faults", blob)
        made.append(image_manifest(layers))
    return made


def pushes(client: RegistryClient, server: Server, tag: str, images: list[bytes]) -> list[Callable[[], int]]:
    """One push of each image under the tag, on the workers in turn."""

    def push(image: bytes, worker: int) -> int:
        path, headers = f"/v2/faults/manifests/{tag}", {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        return client.request("PUT", path, image, headers, worker=worker).status

    workers = cycle(server.worker_pids())
    return [partial(push, image, worker) for image, worker in zip(images, workers, strict=False)]


def test_two_writers_on_a_mutable_tag(server: Server, client: RegistryClient) -> None:
    images = manifests(client, 2)
    for number in range(ROUNDS):
        assert at_once(pushes(client, server, f"moving-{number}", images)) == [201, 201]
        seen = {
            client.request("GET", f"/v2/faults/manifests/moving-{number}", worker=worker).expect(200).body
            for worker in server.worker_pids()
        }
        assert len(seen) == 1
        assert seen < set(images)


def test_two_writers_on_a_fixed_tag(server: Server, client: RegistryClient) -> None:
    images = manifests(client, 2)
    client.ecr.put_image_tag_mutability(repositoryName="faults", imageTagMutability="IMMUTABLE")
    for number in range(ROUNDS):
        statuses = at_once(pushes(client, server, f"fixed-{number}", images))
        assert sorted(statuses) in ([201, 400], [201, 409]), statuses
        winner = images[statuses.index(201)]
        for worker in server.worker_pids():
            got = client.request("GET", f"/v2/faults/manifests/fixed-{number}", worker=worker).expect(200)
            assert got.body == winner
