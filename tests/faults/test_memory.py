"""A layer of 2 GiB passes through little memory, and so do many layers at once."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

import pytest

from tests.support.many_uploads import peak_of
from tests.support.memory import MemoryWatch
from tests.support.registry_client import OCTETS, RegistryClient, with_digest
from tests.support.server import Server

LAYER_BYTES = 2 << 30
LIMIT_BYTES = 250 << 20
UPLOADS, MIB_EACH = 32, 16
UPLOADS_LIMIT_BYTES = 350 << 20
PIECE = random.Random(1).randbytes(1 << 20)


@pytest.fixture
def server(sqlite_server: Server) -> Server:
    """The engine has no part in it."""
    return sqlite_server


def _layer() -> Iterator[bytes]:
    """Pieces that differ, so that nothing could be stored once."""
    for number in range(LAYER_BYTES // len(PIECE)):
        yield number.to_bytes(8, "big") + PIECE[8:]


def _hashed(pieces: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def test_a_large_layer_needs_little_memory(server: Server, client: RegistryClient) -> None:
    assert server.process is not None
    pushed, pulled, size = hashlib.sha256(), hashlib.sha256(), 0
    with MemoryWatch(server.process.pid) as memory:
        location = client.request("POST", "/v2/faults/blobs/uploads/", b"").expect(202).location
        location = client.request("PATCH", location, _hashed(_layer(), pushed), OCTETS).expect(202).location
        digest = "sha256:" + pushed.hexdigest()
        client.request("PUT", with_digest(location, digest), b"").expect(201)
        connection = client.connect()
        connection.request("GET", f"/v2/faults/blobs/{digest}", headers=client.headers)
        with connection.getresponse() as answer:
            while piece := answer.read(1 << 20):
                pulled.update(piece)
                size += len(piece)
        connection.close()
    assert (size, pulled.digest()) == (LAYER_BYTES, pushed.digest())
    assert memory.samples > 10
    assert memory.peak_bytes < LIMIT_BYTES, f"{memory.peak_bytes / 2**20:.0f} MiB"


def test_many_uploads_at_once_need_little_memory(server: Server, client: RegistryClient) -> None:
    """Each upload is held open at the peak; `python -m tests.bench.memory` does the same with 1 GiB each."""
    peak_bytes = peak_of(client, "faults", UPLOADS, MIB_EACH)
    assert peak_bytes < UPLOADS_LIMIT_BYTES, f"{peak_bytes / 2**20:.0f} MiB"
