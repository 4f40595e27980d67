"""A storm of pushes and deletions while the collector runs every second: no error, and no byte too many afterwards."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from entrepot.store.metadata.schema import blob, manifest, repository_blob
from tests.faults.conftest import running
from tests.support.bytes import files_below
from tests.support.poll import wait_until
from tests.support.registry_client import (
    OCTETS,
    RegistryClient,
    digest_of,
    image_config,
    image_manifest,
    with_digest,
)
from tests.support.server import Server

STORM_SECONDS = 12.0
CALM_SECONDS = 30.0
CLIENTS = 4
SETTINGS = {"ENTREPOT_BLOB_PROMISE_SECONDS": "5", "ENTREPOT_COLLECTION_PERIOD_SECONDS": "1"}
SHARED = [random.Random(number).randbytes(50_000 + number) for number in range(4)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(Server(tmp_path / "data", tmp_path / "home", environment=SETTINGS)) as server:
        yield server


class Client:
    """Pushes images under one tag and deletes them; other clients use the same layers in the same repositories."""

    def __init__(self, client: RegistryClient, number: int) -> None:
        self._client, self._draw, self._tag = client, random.Random(number), f"client-{number}"
        self.images = 0

    def work(self, until: float) -> None:
        while time.monotonic() < until:
            repository = self._draw.choice(["storm-a", "storm-b"])
            self._push(repository)
            self._read(repository)
            if self._draw.random() < 0.8:
                self._client.request("DELETE", f"/v2/{repository}/manifests/{self._tag}").expect(202)

    def _push(self, repository: str) -> None:
        own = self._draw.randbytes(20_000)
        layers = [own, *self._draw.sample(SHARED, 2)]
        for data in [image_config(layers), *layers]:
            head = self._client.request("HEAD", f"/v2/{repository}/blobs/{digest_of(data)}").expect(200, 404)
            if head.status == 404:
                self._bring(repository, data)
        self._client.push_manifest(repository, self._tag, image_manifest(layers)).expect(201)
        self.images += 1

    def _bring(self, repository: str, data: bytes) -> None:
        """Mount from the other repository, or else upload."""
        other = "storm-b" if repository == "storm-a" else "storm-a"
        path = f"/v2/{repository}/blobs/uploads/?mount={digest_of(data)}&from={other}"
        answer = self._client.request("POST", path, b"").expect(201, 202)
        if answer.status == 202:
            self._client.request("PUT", with_digest(answer.location, digest_of(data)), data, OCTETS).expect(201)

    def _read(self, repository: str) -> None:
        manifest = self._client.request("GET", f"/v2/{repository}/manifests/{self._tag}").expect(200).body
        for data in SHARED:
            if digest_of(data).encode() in manifest:
                assert self._client.request("GET", f"/v2/{repository}/blobs/{digest_of(data)}").expect(200).body == data


def test_a_storm_leaves_what_is_live_and_nothing_else(server: Server) -> None:
    client = RegistryClient(server)
    client.create("storm-a")
    client.create("storm-b")
    clients = [Client(client, number) for number in range(CLIENTS)]
    until = time.monotonic() + STORM_SECONDS
    with ThreadPoolExecutor(CLIENTS) as pool:
        for ended in [pool.submit(each.work, until) for each in clients]:
            ended.result()
    assert sum(each.images for each in clients) > CLIENTS
    wait_until(lambda: _left_over(server) == set(), what="only live bytes", seconds=CALM_SECONDS)
    for repository in ("storm-a", "storm-b"):
        for tag in client.ecr.list_images(repositoryName=repository)["imageIds"]:
            client.request("GET", f"/v2/{repository}/manifests/{tag['imageDigest']}").expect(200)


def _left_over(server: Server) -> set[str]:
    """Files without a blob, and blobs that no manifest of any repository names."""
    engine = create_engine(f"sqlite:///{server.data_dir / 'metadata.sqlite'}")
    with engine.connect() as connection:
        keys = dict(connection.execute(select(blob.c.storage_key, blob.c.digest)).all())
        raws = b"".join(connection.execute(select(manifest.c.raw)).scalars())
        links = connection.execute(select(blob.c.digest).join(repository_blob)).scalars().all()
    engine.dispose()
    files = {path.name for path in files_below(server.data_dir / "store") if path.name != "store.id"}
    unnamed = {digest for digest in [*keys.values(), *links] if digest.encode() not in raws}
    return (files ^ set(keys)) | unnamed
