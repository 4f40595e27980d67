"""A disk that is full or read-only: clear refusals, everything else goes on, and it recovers without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.faults.conftest import running
from tests.support.bytes import files_below
from tests.support.command import json_of, run_command
from tests.support.poll import wait_until
from tests.support.registry_client import (
    OCTETS,
    Answer,
    RegistryClient,
    digest_of,
    image_config,
    image_manifest,
    with_digest,
)
from tests.support.server import Server
from tests.support.small_disk import SmallDisk

MIB = 1024 * 1024
DISK_BYTES, RESERVE_BYTES = 48 * MIB, 12 * MIB
LAYER_BYTES = 3 * MIB + 5
SETTINGS = {
    "ENTREPOT_FREE_SPACE_RESERVE": str(RESERVE_BYTES),
    "ENTREPOT_BLOB_PROMISE_SECONDS": "1",
    "ENTREPOT_COLLECTION_PERIOD_SECONDS": "3600",
}
NO_RESERVE = {**SETTINGS, "ENTREPOT_FREE_SPACE_RESERVE": "0"}
CLEAR = {503: b"UNAVAILABLE", 507: b"UNSUPPORTED"}


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 hides a refusal behind retries."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk", DISK_BYTES)
    yield disk
    disk.close()


@pytest.fixture
def server(disk: SmallDisk, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """With everything on the small disk, or only the blobs if the settings say so."""
    environment = dict(getattr(request, "param", SETTINGS))
    data_dir = tmp_path / "data" if "ENTREPOT_BLOB_DIR" in environment else disk.path / "data"
    if "ENTREPOT_BLOB_DIR" in environment:
        environment["ENTREPOT_BLOB_DIR"] = str(disk.path / "store")
    with running(Server(data_dir, tmp_path / "home", environment=environment, entry=disk.entry)) as server:
        yield server


class Pusher:
    """Pushes images of one layer and remembers those that were acknowledged."""

    def __init__(self, client: RegistryClient) -> None:
        self.client = client
        self.images: dict[str, bytes] = {}
        """Layer by tag."""
        client.create("faults")

    def push(self, number: int) -> int:
        """Push one image; the status of its last request, which is clear if it is no success."""
        layer, tag = bytes([number]) * LAYER_BYTES, f"v{number}"
        for data in (layer, image_config([layer])):
            begun = self.client.request("POST", "/v2/faults/blobs/uploads/", b"")
            if begun.status != 202:
                return _clear(begun)
            put = self.client.request("PUT", with_digest(begun.location, digest_of(data)), data, OCTETS)
            if put.status != 201:
                return _clear(put)
        answer = self.client.push_manifest("faults", tag, image_manifest([layer]))
        if answer.status != 201:
            return _clear(answer)
        self.images[tag] = layer
        return answer.status

    def push_until_refused(self, first: int = 0) -> int:
        """The status of the refusal."""
        for number in range(first, 100):
            status = self.push(number)
            if status != 201:
                return status
        raise AssertionError("the disk never was full")

    def check(self) -> None:
        """Every image that was acknowledged is there, bit for bit."""
        listed = self.client.ecr.list_images(repositoryName="faults", maxResults=100)["imageIds"]
        assert {each["imageTag"] for each in listed} == self.images.keys()
        for tag, layer in self.images.items():
            self.client.request("GET", f"/v2/faults/manifests/{tag}").expect(200)
            assert self.client.request("GET", f"/v2/faults/blobs/{digest_of(layer)}").expect(200).body == layer

    def delete(self, *tags: str) -> None:
        """Delete images."""
        ids = [{"imageTag": tag} for tag in tags]
        assert self.client.ecr.batch_delete_image(repositoryName="faults", imageIds=ids)["failures"] == []
        for tag in tags:
            del self.images[tag]


def _clear(answer: Answer) -> int:
    status, body = answer.status, answer.body
    assert status in CLEAR, answer
    assert CLEAR[status] in body, answer
    return status


def test_full_down_to_the_reserve(server: Server, disk: SmallDisk) -> None:
    pusher = Pusher(RegistryClient(server))
    assert pusher.push_until_refused() == 507
    with pytest.raises(ClientError, match=r"ServiceUnavailable.*short of storage"):
        pusher.client.ecr.initiate_layer_upload(repositoryName="faults")
    assert pusher.client.request("GET", "/readyz").expect(503).body == b"not ready: store\n"
    pusher.check()
    RegistryClient(server)  # logs in
    pusher.client.request("GET", "/v2/faults/tags/list").expect(200)
    pusher.client.push_manifest("faults", "again", image_manifest([pusher.images["v0"]])).expect(201)
    pusher.images["again"] = pusher.images["v0"]
    pusher.delete("v1", "v2", "v3")
    _collect_until(server, 3)
    assert pusher.push(50) == 201
    pusher.check()
    _nothing_is_left_over(server, disk.seen_from_outside / "data" / "store", pusher)


@pytest.mark.parametrize("server", [NO_RESERVE], indirect=True)
def test_full_to_the_last_byte(server: Server, disk: SmallDisk) -> None:
    """Others took all room, the database's too: whatever is answered is done or refused in clear words."""
    pusher = Pusher(RegistryClient(server))
    for number in range(4):
        assert pusher.push(number) == 201
    filler = disk.fill()
    refused = 0
    for number in range(4, 8):
        refused += pusher.push(number) in CLEAR
    assert refused
    with pytest.raises(ClientError, match=r"ServiceUnavailable.*short of storage"):
        _write_on(pusher.client)
    pusher.check()
    filler.unlink()
    assert pusher.push(20) == 201
    pusher.client.ecr.create_repository(repositoryName="room-again")
    pusher.delete("v0")
    _collect_until(server, 1)
    pusher.check()
    assert "unexpected" not in server.log.read_text()
    _nothing_is_left_over(server, disk.seen_from_outside / "data" / "store", pusher)


@pytest.mark.parametrize("server", [{**SETTINGS, "ENTREPOT_BLOB_DIR": "on the disk"}], indirect=True)
def test_read_only_while_it_runs(server: Server, disk: SmallDisk) -> None:
    pusher = Pusher(RegistryClient(server))
    assert pusher.push(0) == pusher.push(1) == 201
    session = pusher.client.request("POST", "/v2/faults/blobs/uploads/", b"").expect(202).location
    disk.remount("ro")
    for number in (2, 3):
        assert pusher.push(number) == 503
    late = pusher.client.request("PATCH", session, b"late" * MIB, OCTETS)
    assert _clear(late) == 503
    assert b"read-only" in late.body
    with pytest.raises(ClientError, match=r"ServiceUnavailable.*read-only"):
        pusher.client.ecr.initiate_layer_upload(repositoryName="faults")
    assert pusher.client.request("GET", "/readyz").expect(503).body == b"not ready: store\n"
    pusher.check()
    pusher.delete("v1")
    disk.remount("rw")
    pusher.client.request("PATCH", session, b"late" * MIB, OCTETS).expect(202)
    pusher.client.request("DELETE", session).expect(204)
    assert pusher.push(4) == 201
    pusher.check()
    _collect_until(server, 1)


def test_read_only_at_the_start(disk: SmallDisk, tmp_path: Path) -> None:
    server = Server(disk.path / "data", tmp_path / "home", workers=1, environment=SETTINGS, entry=disk.entry)
    disk.remount("ro")
    assert _refused_start(server) == f"cannot make the data directory {server.data_dir}: Read-only file system"
    disk.remount("rw")
    server.start()
    client = RegistryClient(server)
    client.create("faults")
    server.stop()
    disk.remount("ro")
    assert _refused_start(server) == f"cannot write to the data directory {server.data_dir}: read-only file system"
    disk.remount("rw")
    try:
        server.start()
        client.push_image("faults", "v1", [b"layer"])
    finally:
        server.close()


def _write_on(client: RegistryClient) -> None:
    """Until the log of the database has no room either."""
    for number in range(300):
        client.ecr.create_repository(repositoryName=f"more-{number}")


def _refused_start(server: Server) -> str:
    """The one line that a server says that cannot start."""
    done = run_command(server, "serve", "--port", "0", "--workers", "1")
    lines = [line for line in done.stderr.splitlines() if line.startswith("entrepot:")]
    assert (done.returncode, len(lines)) == (1, 1), done
    return lines[0].removeprefix("entrepot:").strip()


def _collect_until(server: Server, blobs: int) -> None:
    """Collect garbage as an operator does, until that many layers went and their bytes are free."""
    freed = [0]

    def collect() -> bool:
        freed[0] += json_of(run_command(server, "gc", "--json"))["objects"]
        return freed[0] >= blobs

    wait_until(collect, what=f"{blobs} layers gone", seconds=60)


def _nothing_is_left_over(server: Server, store: Path, pusher: Pusher) -> None:
    """Once everything is deleted, no byte stays, but those of uploads that can still go on."""
    pusher.delete(*pusher.images)

    def is_empty() -> bool:
        json_of(run_command(server, "gc", "--json"))
        return not files_below(store / "blobs")

    wait_until(is_empty, what="an empty store", seconds=60)
