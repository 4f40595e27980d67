"""Data directories of earlier versions, kept to be upgraded: how one is made, and how it is unpacked.

Run as `python -m tests.support.kept NAME` it makes one with the entrepot that is installed, or that PYTHONPATH names:

    git worktree add /tmp/walking fce41d5
    PYTHONPATH=/tmp/walking/src python -m tests.support.kept 0001-walking
"""

from __future__ import annotations

import json
import random
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.registry_client import (
    OCTETS,
    RegistryClient,
    digest_of,
    image_config,
    image_manifest,
)
from tests.support.server import Server

DIRECTORY = Path(__file__).parents[1] / "faults" / "kept"
REPOSITORY = "team/app"
UPLOADED = random.Random(3).randbytes(1000)


@dataclass(frozen=True)
class Kept:
    """An unpacked data directory, and what was pushed into it: tag → layers."""

    data_dir: Path
    images: dict[str, list[bytes]]


def images() -> dict[str, list[bytes]]:
    """What is pushed: layers shared and not, empty and not."""
    draw = random.Random(7)
    shared = draw.randbytes(5000)
    return {"v1": [shared, draw.randbytes(3000)], "v2": [shared, b"", draw.randbytes(7)], "bare": []}


def unpack(name: str, target: Path) -> Kept:
    """Unpack one by its name below `target`."""
    with tarfile.open(DIRECTORY / f"{name}.tar.xz") as archive:
        archive.extractall(target, filter="data")
    return Kept(target / "data", images())


def names() -> list[str]:
    """All that are kept; they begin with the revision of their schema."""
    return sorted(path.name.removesuffix(".tar.xz") for path in DIRECTORY.glob("*.tar.xz"))


def fill(client: RegistryClient) -> None:
    """Push images and an index, move a tag, delete an image, leave an upload unfinished."""
    client.create(REPOSITORY)
    for tag, layers in images().items():
        client.push_image(REPOSITORY, tag, layers)
    children = [image_manifest(layers) for layers in images().values()]
    kind = "application/vnd.oci.image.index.v1+json"
    manifests = [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest_of(one), "size": len(one)}
        for one in children
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}).encode()
    client.request("PUT", f"/v2/{REPOSITORY}/manifests/all", index, {"Content-Type": kind}).expect(201)
    gone = client.push_image(REPOSITORY, "gone", [b"to be deleted"])
    client.request("DELETE", f"/v2/{REPOSITORY}/manifests/{gone}").expect(202)
    started = client.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", b"").expect(202)
    client.request("PATCH", started.location, iter([UPLOADED]), OCTETS).expect(202)
    client.ecr.tag_resource(
        resourceArn=client.ecr.describe_repositories()["repositories"][0]["repositoryArn"],
        tags=[{"Key": "team", "Value": "red"}],
    )


def check(client: RegistryClient) -> None:
    """Everything that `fill` pushed can be pulled."""
    for tag, layers in images().items():
        manifest = client.request("GET", f"/v2/{REPOSITORY}/manifests/{tag}").expect(200).body
        assert manifest == image_manifest(layers)
        for data in [image_config(layers), *layers]:
            assert client.request("GET", f"/v2/{REPOSITORY}/blobs/{digest_of(data)}").expect(200).body == data
    assert len(json.loads(client.request("GET", f"/v2/{REPOSITORY}/manifests/all").expect(200).body)["manifests"]) == 3


def main(name: str) -> None:
    """Make one."""
    DIRECTORY.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        server = Server(Path(place) / "data", Path(place) / "home", workers=1)
        server.start()
        try:
            client = RegistryClient(server)
            fill(client)
            check(client)
        finally:
            server.stop()
        with tarfile.open(DIRECTORY / f"{name}.tar.xz", "w:xz", preset=9) as archive:
            archive.add(server.data_dir, "data")
    sys.stdout.write(f"{(DIRECTORY / name).with_suffix('.tar.xz').stat().st_size} bytes\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
