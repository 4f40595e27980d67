"""The whole server is killed again and again under clients that push, retag and delete: what was answered stands.

`ENTREPOT_TEST_KILLS` says how often (`make faults`: 1,000 times).
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.support.acknowledged import Fact, State, replay
from tests.support.registry_client import (
    OCTETS,
    RegistryClient,
    digest_of,
    image_config,
    image_manifest,
    with_digest,
)
from tests.support.server import Server

KILLS = int(os.environ.get("ENTREPOT_TEST_KILLS", "50"))
CLIENTS = 4
TAGS = 3
ANSWERS_MAX = 60
"""The server is killed after a random number of answers, at most this many."""
LAYERS = [random.Random(number).randbytes(40_000 * number + number) for number in range(1, 6)]
Gone = (OSError, http.client.HTTPException)


class Countdown:
    """Kills the server after so many answers, in the thread that got the last of them."""

    def __init__(self, answers: int, kill: Callable[[], None]) -> None:
        self._left, self._kill, self._lock = answers, kill, threading.Lock()
        self.is_over = False

    def answered(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.is_over = True
                self._kill()


@dataclass
class Pusher:
    """One client with tags of its own; `facts` are its deeds and their answers since the last look."""

    client: RegistryClient
    number: int
    draw: random.Random
    state: State = field(default_factory=State)
    facts: list[Fact] = field(default_factory=list)

    def run(self, countdown: Countdown) -> None:
        """Work until the server is gone."""
        try:
            while not countdown.is_over:
                for _ in self.draw.choice([self._push, self._push, self._untag])():
                    countdown.answered()
        except Gone:
            assert countdown.is_over, "a connection broke while the server was alive"

    def _image(self) -> tuple[bytes, list[bytes]]:
        own = f"client {self.number}, variant {self.draw.randrange(3)}".encode()
        layers = [own, *self.draw.sample(LAYERS, self.draw.randrange(3))]
        return image_manifest(layers), [image_config(layers), *layers]

    def _push(self) -> Iterator[None]:
        manifest, blobs = self._image()
        for data in blobs:
            yield from self._upload(data)
        tag, digest = self._tag(), digest_of(manifest)
        self.facts.append({"what": "put", "tag": tag, "digest": digest})
        self.client.push_manifest("faults", tag, manifest).expect(201)
        self.facts.append({"what": "done"})
        yield

    def _upload(self, data: bytes) -> Iterator[None]:
        location = self.client.request("POST", "/v2/faults/blobs/uploads/", b"").expect(202).location
        yield
        rest = data
        if self.draw.random() < 0.5:
            location = (
                self.client.request("PATCH", location, iter([data[: len(data) // 2]]), OCTETS).expect(202).location
            )
            rest = data[len(data) // 2 :]
            yield
        self.facts.append({"what": "upload", "digest": digest_of(data)})
        self.client.request("PUT", with_digest(location, digest_of(data)), rest, OCTETS).expect(201)
        self.facts.append({"what": "done"})
        yield

    def _untag(self) -> Iterator[None]:
        tag = self._tag()
        self.facts.append({"what": "untag", "tag": tag})
        self.client.request("DELETE", f"/v2/faults/manifests/{tag}").expect(202, 404)
        self.facts.append({"what": "done"})
        yield

    def _tag(self) -> str:
        return f"client-{self.number}-{self.draw.randrange(TAGS)}"

    def compare(self, tags: dict[str, str]) -> None:
        """What the server shows is what was answered, with or without the deed that was under way."""
        allowed, blobs = replay(self.state, self.facts)
        found = {tag: digest for tag, digest in tags.items() if tag.startswith(f"client-{self.number}-")}
        states = [state for state in allowed if state.tags == found]
        assert states, f"found {found}, allowed {allowed}"
        self.state, self.facts = states[-1], []
        for digest in blobs:
            assert digest_of(self.client.request("GET", f"/v2/faults/blobs/{digest}").expect(200).body) == digest


def _tags(client: RegistryClient) -> dict[str, str]:
    """Tag → digest; every image is read through."""
    names = json.loads(client.request("GET", "/v2/faults/tags/list").expect(200).body)["tags"] or []
    found = {}
    for name in names:
        manifest = client.request("GET", f"/v2/faults/manifests/{name}").expect(200).body
        document = json.loads(manifest)
        for blob in [document["config"], *document["layers"]]:
            body = client.request("GET", f"/v2/faults/blobs/{blob['digest']}").expect(200).body
            assert digest_of(body) == blob["digest"], f"half a blob was served for {name}"
        found[name] = digest_of(manifest)
    return found


def _survive(server: Server, client: RegistryClient) -> None:
    draw = random.Random(11)
    pushers = [Pusher(client, number, random.Random(number)) for number in range(CLIENTS)]
    for _ in range(KILLS):
        countdown = Countdown(draw.randrange(1, ANSWERS_MAX), server.kill)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for ended in [pool.submit(pusher.run, countdown) for pusher in pushers]:
                ended.result()
        server.start()
        tags = _tags(client)
        for pusher in pushers:
            pusher.compare(tags)


def test_on_sqlite(sqlite_server: Server) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    _survive(sqlite_server, client)


def test_on_postgresql_under_a_kms_key(postgres_server_process: Server) -> None:
    client = RegistryClient(postgres_server_process)
    client.create("faults", "KMS")
    _survive(postgres_server_process, client)
