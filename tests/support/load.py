"""Load on a running server: clients that push, pull and delete until told to stop, and what became of each request."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.registry_client import RegistryClient, digest_of, image_manifest
from tests.support.server import Server

REPOSITORY = "load"
CLIENTS = 2


@dataclass
class Load:
    """What the clients did; `errors` has every answer that they did not expect."""

    pushed: int = 0
    kept: dict[str, str] = field(default_factory=dict)
    """Tag → digest of images that stay."""
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def loaded(server: Server) -> Iterator[Load]:
    """Keep clients busy during the block; they are told to stop at its end and waited for."""
    client = RegistryClient(server)
    client.create(REPOSITORY)
    load, stop = Load(), threading.Event()
    threads = [threading.Thread(target=_work, args=(client, number, load, stop)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _work(client: RegistryClient, number: int, load: Load, stop: threading.Event) -> None:
    draw, turn = random.Random(number), 0
    try:
        while not stop.is_set():
            turn += 1
            _turn(client, f"{number}-{turn}", draw, load)
    except Exception as error:  # noqa: BLE001 - the test is told, whatever it is
        load.errors.append(repr(error))


def _turn(client: RegistryClient, tag: str, draw: random.Random, load: Load) -> None:
    """Push an image; pull it; delete two of three, with a layer that others may share."""
    layers = [draw.randbytes(draw.randrange(1, 200_000)), f"shared {draw.randrange(5)}".encode()]
    digest = client.push_image(REPOSITORY, tag, layers)
    pulled = client.request("GET", f"/v2/{REPOSITORY}/manifests/{tag}").expect(200).body
    assert pulled == image_manifest(layers)
    if draw.random() < 2 / 3:
        client.request("DELETE", f"/v2/{REPOSITORY}/manifests/{digest}").expect(202)
    else:
        body = client.request("GET", f"/v2/{REPOSITORY}/blobs/{digest_of(layers[0])}").expect(200).body
        assert body == layers[0]
        with load.lock:
            load.kept[tag] = digest
    with load.lock:
        load.pushed += 1
