"""A bare `/v2/` client that decides which connection, and so which worker, carries a request."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import boto3
import psutil

from tests.support.poll import wait_until
from tests.support.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCTETS = {"Content-Type": "application/octet-stream"}

Body = bytes | Iterable[bytes] | None


def digest_of(data: bytes) -> str:
    """`sha256:…` of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def ecr_client(server: Server) -> Any:
    """boto3 for the server, as root."""
    return boto3.client(
        "ecr",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        """Where to go on: a path."""
        return self.headers["location"]

    def expect(self, *statuses: int) -> Answer:
        """This answer, if its status is one of these."""
        assert self.status in statuses, f"{self.status} instead of {statuses}: {self.body[:500]!r}"
        return self


class RegistryClient:
    """Sends each request on a connection of its own, unless it is given one."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ecr = ecr_client(server)
        token = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        assert base64.b64decode(token).startswith(b"AWS:")
        self.headers = {"Authorization": f"Basic {token}"}

    def create(self, name: str, encryption_type: str = "AES256") -> None:
        """Make a repository; a KMS key that protects it is the account's own."""
        self.ecr.create_repository(repositoryName=name, encryptionConfiguration={"encryptionType": encryption_type})

    def connect(self, worker: int | None = None) -> http.client.HTTPConnection:
        """A connection, accepted by the worker with that process id if one is named."""
        with ExitStack() as others:  # open meanwhile: the next one goes to a worker with fewer

            def attempt() -> http.client.HTTPConnection | None:
                connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
                connection.connect()
                if worker is None or wait_until(lambda: self.worker_of(connection), what="a worker") == worker:
                    return connection
                others.callback(connection.close)
                return None

            return wait_until(attempt, what=f"a connection to worker {worker}")

    def worker_of(self, connection: http.client.HTTPConnection) -> int | None:
        """The process that accepted a connection, None while it waits in a queue."""
        port = connection.sock.getsockname()[1]
        for pid in self.server.worker_pids():
            connections = psutil.Process(pid).net_connections("tcp")
            if any(each.raddr and each.raddr.port == port for each in connections):
                return pid
        return None

    def request(
        self,
        method: str,
        path: str,
        body: Body = None,
        headers: Mapping[str, str] = {},
        *,
        worker: int | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """Send one request; an iterable body goes in chunks without a length."""
        used = connection or self.connect(worker)
        try:
            return exchange(used, method, path, body, {**self.headers, **headers})
        finally:
            if connection is None:
                used.close()

    def push_blob(self, repository: str, data: bytes) -> str:
        """Upload in two requests; the digest."""
        started = self.request("POST", f"/v2/{repository}/blobs/uploads/", b"").expect(202)
        digest = digest_of(data)
        self.request("PUT", with_digest(started.location, digest), data, OCTETS).expect(201)
        return digest

    def push_manifest(self, repository: str, reference: str, manifest: bytes) -> Answer:
        """Put an OCI manifest."""
        path = f"/v2/{repository}/manifests/{reference}"
        return self.request("PUT", path, manifest, {"Content-Type": OCI_MANIFEST})

    def push_image(self, repository: str, tag: str, layers: list[bytes]) -> str:
        """Push config, layers and manifest; the manifest's digest."""
        manifest = image_manifest(layers)
        for data in [image_config(layers), *layers]:
            self.push_blob(repository, data)
        self.push_manifest(repository, tag, manifest).expect(201)
        return digest_of(manifest)


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: Body, headers: Mapping[str, str]
) -> Answer:
    """One request and its whole answer on an open connection."""
    chunked = body is not None and not isinstance(body, bytes)
    connection.request(method, path, body, dict(headers), encode_chunked=chunked)
    with connection.getresponse() as answer:
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())


def with_digest(location: str, digest: str) -> str:
    """The URL of the last request of an upload."""
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def image_config(layers: list[bytes]) -> bytes:
    """The config of an image whose layers are not compressed."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
    }
    return json.dumps(config).encode()


def image_manifest(layers: list[bytes]) -> bytes:
    """The manifest of an image with these layers."""
    config = image_config(layers)
    kind = "application/vnd.oci.image.layer.v1.tar"
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest_of(config),
            "size": len(config),
        },
        "layers": [{"mediaType": kind, "digest": digest_of(layer), "size": len(layer)} for layer in layers],
    }
    return json.dumps(manifest).encode()
