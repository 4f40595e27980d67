"""What is measured: one function per figure, each for one contender and one round."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.connection import RawConnection, curl, head_flood, in_processes, wrk
from tests.bench.contender import REPOSITORY, Contender
from tests.support.registry_client import OCI_MANIFEST, digest_of, image_config, image_manifest, with_digest

CLIENTS = 4
PUSHERS = 8
CONNECTIONS = 16
SMALL_BYTES = 10 << 10
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Scale:
    """How long and how large."""

    layer_bytes: int
    seconds: int
    images: int


@dataclass(slots=True)
class Load:
    """A layer file that is new in every round, and what each contender was given to answer."""

    layer: Path
    scale: Scale
    digest: str = ""

    def renew(self) -> None:
        """Change the file, so that nobody has seen it."""
        with self.layer.open("r+b") as file:
            file.write(os.urandom(16))
        with self.layer.open("rb") as file:
            self.digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def prepare(contender: Contender, load: Load) -> None:
    """Push a small image, tagged `small`, whose layer is the small blob."""
    del load
    connection = RawConnection(contender.port, contender.headers)
    push_image(connection, "small", _small_layer())
    connection.close()


def _small_layer() -> bytes:
    return bytes(range(256)) * (SMALL_BYTES // 256)


def push_layer(contender: Contender, load: Load) -> float:
    """POST, one PATCH without a length, empty PUT with the digest: MiB/s."""
    connection = RawConnection(contender.port, contender.headers)
    begin = time.perf_counter()
    location = _path(connection.exchange("POST", f"/v2/{REPOSITORY}/blobs/uploads/")[1])
    options = ["--request", "PATCH", "--upload-file", str(load.layer), "--header", "Transfer-Encoding: chunked"]
    options += ["--header", "Content-Type: application/octet-stream", "--header", "Expect:"]
    options += ["--output", "/dev/null", "--write-out", "%header{location}"]
    (location,) = curl(contender.port, [location], contender.headers, options)
    status, _ = connection.exchange("PUT", with_digest(_path(location), load.digest))
    seconds = time.perf_counter() - begin
    connection.close()
    if status != 201:
        raise RuntimeError(f"{contender.name}: the upload ended with {status}")
    return load.scale.layer_bytes / MIB / seconds


def pull_layer(contender: Contender, load: Load) -> float:
    """The layer by several clients at once: MiB/s together."""
    path = f"/v2/{REPOSITORY}/blobs/{load.digest}"
    options = ["--output", "/dev/null", "--write-out", "%{size_download}"]
    begin = time.perf_counter()
    sizes = curl(contender.port, [path] * CLIENTS, contender.headers, options)
    seconds = time.perf_counter() - begin
    if {int(size) for size in sizes} != {load.scale.layer_bytes}:
        raise RuntimeError(f"{contender.name}: sizes {sizes}")
    return CLIENTS * load.scale.layer_bytes / MIB / seconds


def manifest_get(contender: Contender, load: Load) -> float:
    """GET of a manifest by tag: requests per second."""
    headers = {**contender.headers, "Accept": OCI_MANIFEST}
    return wrk(contender.port, f"/v2/{REPOSITORY}/manifests/small", headers, CONNECTIONS, load.scale.seconds)


def manifest_head(contender: Contender, load: Load) -> float:
    """HEAD of a manifest by tag: requests per second."""
    headers = {**contender.headers, "Accept": OCI_MANIFEST}
    path, seconds = f"/v2/{REPOSITORY}/manifests/small", load.scale.seconds
    answered = in_processes(2, head_flood, contender.port, path, headers, CONNECTIONS // 2, seconds)
    return sum(answered) / seconds


def small_blob(contender: Contender, load: Load) -> float:
    """GET of a blob of 10 KiB: requests per second."""
    path = f"/v2/{REPOSITORY}/blobs/{digest_of(_small_layer())}"
    return wrk(contender.port, path, contender.headers, CONNECTIONS, load.scale.seconds)


def image_pushes(contender: Contender, load: Load) -> float:
    """Images of a config and a layer, pushed by several clients: images per second."""
    each = load.scale.images // PUSHERS
    begin = time.perf_counter()
    in_processes(PUSHERS, _push_images, contender.port, contender.headers, each)
    return each * PUSHERS / (time.perf_counter() - begin)


def _push_images(port: int, headers: dict[str, str], count: int) -> None:
    connection = RawConnection(port, headers)
    for _ in range(count):
        layer = os.urandom(1024)
        push_image(connection, layer[:8].hex(), layer)
    connection.close()


def push_image(connection: RawConnection, tag: str, layer: bytes, repository: str = REPOSITORY) -> None:
    """HEAD, POST and PUT for each blob, then the manifest."""
    for data in (image_config([layer]), layer):
        digest = digest_of(data)
        if connection.exchange("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200:
            continue
        location = _path(connection.exchange("POST", f"/v2/{repository}/blobs/uploads/")[1])
        status, _ = connection.exchange("PUT", with_digest(location, digest), data, "application/octet-stream")
        if status != 201:
            raise RuntimeError(f"PUT of a blob: {status}")
    path = f"/v2/{repository}/manifests/{tag}"
    status, _ = connection.exchange("PUT", path, image_manifest([layer]), OCI_MANIFEST)
    if status != 201:
        raise RuntimeError(f"PUT of a manifest: {status}")


def _path(location: str) -> str:
    """A Location without scheme and host, which docker-registry sends."""
    return "/" + location.split("/", 3)[3] if "://" in location else location


MEASURES = {
    "push": (push_layer, "Chunked push of a {layer} layer", "MiB/s"),
    "pull": (pull_layer, f"Pull of that layer by {CLIENTS} clients", "MiB/s"),
    "manifest-get": (manifest_get, f"Manifest GET by tag, {CONNECTIONS} connections", "requests/s"),
    "manifest-head": (manifest_head, f"Manifest HEAD by tag, {CONNECTIONS} connections", "requests/s"),
    "small-blob": (small_blob, f"10 KiB blob GET, {CONNECTIONS} connections", "requests/s"),
    "image-push": (image_pushes, f"Image pushes (HEAD, POST, PUT), {PUSHERS} clients", "images/s"),
}
"""Name → function, title, unit. `pull` reads what `push` of the same round left."""
