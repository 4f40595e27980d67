"""The whole server killed between any two requests of a push: the push goes on, and what was acknowledged stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import EVERY_ENCRYPTION
from tests.support.registry_client import (
    OCTETS,
    RegistryClient,
    digest_of,
    image_config,
    image_manifest,
    with_digest,
)
from tests.support.server import Server

pytestmark = EVERY_ENCRYPTION


def _blob(client: RegistryClient, data: bytes, pieces: int) -> Iterator[None]:
    """Upload in pieces as docker does; yields after each request."""
    location = client.request("POST", "/v2/faults/blobs/uploads/", b"").expect(202).location
    yield
    size = -(-len(data) // pieces)
    for start in range(0, len(data), size):
        status = client.request("GET", location).expect(204)
        assert status.headers["range"] == (f"0-{start - 1}" if start else "0-0")
        piece = data[start : start + size]
        location = client.request("PATCH", location, iter([piece]), OCTETS).expect(202).location
        yield
    client.request("PUT", with_digest(location, digest_of(data)), b"").expect(201)
    yield


def _push(client: RegistryClient, tag: str, layer: bytes) -> Iterator[None]:
    yield from _blob(client, layer, pieces=3)
    yield from _blob(client, image_config([layer]), pieces=1)
    client.push_manifest("faults", tag, image_manifest([layer])).expect(201)
    yield


def _assert_readable(client: RegistryClient, tag: str, layer: bytes) -> None:
    manifest = client.request("GET", f"/v2/faults/manifests/{tag}").expect(200)
    assert manifest.body == image_manifest([layer])
    assert client.request("GET", f"/v2/faults/blobs/{digest_of(layer)}").expect(200).body == layer
    config = image_config([layer])
    assert client.request("GET", f"/v2/faults/blobs/{digest_of(config)}").expect(200).body == config


REQUESTS = 8
"""POST, 3 PATCH, PUT of the layer; POST, PATCH, PUT of the config. After the manifest's PUT the push is over."""


def test_killed_after_every_request(server: Server, client: RegistryClient, data: Callable[[int], bytes]) -> None:
    acknowledged: dict[str, bytes] = {}
    for kill_after in range(1, REQUESTS + 2):
        tag, layer = f"killed-{kill_after}", data(700_001)
        done = 0
        for done, _ in enumerate(_push(client, tag, layer), 1):
            if done == kill_after:
                server.kill()
                server.start()
        assert done == REQUESTS + 1
        acknowledged[tag] = layer
        for known, pushed in acknowledged.items():
            _assert_readable(client, known, pushed)


@pytest.mark.parametrize("sent", [0, 1, 262_144, 500_000])
def test_killed_in_the_middle_of_a_patch(
    server: Server, client: RegistryClient, data: Callable[[int], bytes], sent: int
) -> None:
    """What was not acknowledged is sent again; what was is not lost."""
    layer, acknowledged = data(1_000_001), 300_001
    location = client.request("POST", "/v2/faults/blobs/uploads/", b"").expect(202).location
    location = client.request("PATCH", location, layer[:acknowledged], OCTETS).expect(202).location
    connection = client.connect()
    connection.putrequest("PATCH", location)
    for name, value in (client.headers | OCTETS | {"Content-Length": str(len(layer) - acknowledged)}).items():
        connection.putheader(name, value)
    connection.endheaders(layer[acknowledged : acknowledged + sent])
    server.kill()
    connection.close()
    server.start()
    status = client.request("GET", location).expect(204)
    assert status.headers["range"] == f"0-{acknowledged - 1}"
    location = client.request("PATCH", status.location, layer[acknowledged:], OCTETS).expect(202).location
    client.request("PUT", with_digest(location, digest_of(layer)), b"").expect(201)
    assert client.request("GET", f"/v2/faults/blobs/{digest_of(layer)}").expect(200).body == layer


def test_the_supervisor_alone_is_killed(server: Server, client: RegistryClient) -> None:
    """Its workers end with it, so that the next server can have the port and the data."""
    client.push_image("faults", "kept", [b"kept"])
    assert server.process is not None
    workers = server.processes()[1:]
    server.process.kill()
    server.process.wait()
    for worker in workers:
        worker.wait(timeout=10)
    server.start()
    _assert_readable(client, "kept", b"kept")


def test_told_to_stop_it_ends_in_order(server: Server, client: RegistryClient) -> None:
    client.push_image("faults", "kept", [b"kept"])
    assert server.stop() == 0
    server.start()
    _assert_readable(client, "kept", b"kept")
