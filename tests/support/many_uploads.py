"""Many uploads at once: none ends before all have sent half of their bytes, so that the peak holds them all."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.support.memory import MemoryWatch
from tests.support.registry_client import OCTETS, RegistryClient, with_digest

PIECE = random.Random(1).randbytes(1 << 20)
MEET_SECONDS = 600


def peak_of(client: RegistryClient, repository: str, uploads: int, mib_each: int) -> int:
    """Push so many layers by chunked PATCH and empty PUT at once; the peak of the server's memory in bytes, by PSS."""
    assert client.server.process is not None
    half_way = threading.Barrier(uploads)

    def push(number: int) -> None:
        hashed = hashlib.sha256()
        location = client.request("POST", f"/v2/{repository}/blobs/uploads/", b"").expect(202).location
        body = _layer(number, mib_each, hashed, half_way)
        location = client.request("PATCH", location, body, OCTETS).expect(202).location
        client.request("PUT", with_digest(location, f"sha256:{hashed.hexdigest()}"), b"").expect(201)

    with MemoryWatch(client.server.process.pid) as memory, ThreadPoolExecutor(uploads) as clients:
        for done in [clients.submit(push, number) for number in range(uploads)]:
            done.result()
    assert memory.samples > 1
    return memory.peak_bytes


def _layer(number: int, mib: int, hashed: hashlib._Hash, half_way: threading.Barrier) -> Iterator[bytes]:
    """Pieces that differ, so that nothing could be stored once."""
    for count in range(mib):
        if count == mib // 2:
            half_way.wait(MEET_SECONDS)
        piece = number.to_bytes(4, "big") + count.to_bytes(4, "big") + PIECE[8:]
        hashed.update(piece)
        yield piece
