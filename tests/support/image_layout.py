"""An OCI image layout on disk: written when images are made, read to say what a registry must answer.

Spec: OCI Image 1.1, "Image Layout".
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image."
REF_NAME = "org.opencontainers.image.ref.name"

Descriptor = dict[str, Any]
"""`{"mediaType": …, "digest": …, "size": …}` and what else an index or manifest says."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A compressed layer and the digest of its tar."""

    descriptor: Descriptor
    diff_id: str


class ImageLayout:
    """One layout directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._index = root / "index.json"
        if not self._index.exists():
            self._save([])

    # reading

    def tags(self) -> dict[str, Descriptor]:
        """Tag → descriptor."""
        manifests: list[Descriptor] = json.loads(self._index.read_text())["manifests"]
        return {manifest["annotations"][REF_NAME]: manifest for manifest in manifests}

    def blob_path(self, digest: str) -> Path:
        """The file of a blob or manifest."""
        return self.root.joinpath("blobs", *digest.split(":"))

    def manifest(self, digest: str) -> dict[str, Any]:
        """A manifest or index, parsed."""
        parsed: dict[str, Any] = json.loads(self.blob_path(digest).read_bytes())
        return parsed

    def reachable(self, digest: str) -> set[str]:
        """The digests of a manifest, its children, configs and layers."""
        found = {digest}
        for child in self.manifest(digest).get("manifests", []):
            found |= self.reachable(child["digest"])
        return found | {blob["digest"] for blob in self.blobs(digest)}

    def blobs(self, digest: str) -> list[Descriptor]:
        """Config and layers that a manifest itself names."""
        manifest = self.manifest(digest)
        return [manifest["config"], *manifest["layers"]] if "config" in manifest else []

    def image_size(self, digest: str) -> int:
        """Compressed bytes of config and layers; of an index the largest child's."""
        children = self.manifest(digest).get("manifests", [])
        if children:
            return max(self.image_size(child["digest"]) for child in children)
        return sum(blob["size"] for blob in self.blobs(digest))

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Every stored blob with its digest."""
        for path in sorted((self.root / "blobs/sha256").iterdir()):
            yield f"sha256:{path.name}", path.read_bytes()

    # writing

    def add_blob(self, data: bytes, media_type: str) -> Descriptor:
        """Store bytes."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blob_path(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def add_json(self, value: Mapping[str, Any], media_type: str) -> Descriptor:
        """Store a document in a fixed form."""
        return self.add_blob(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), media_type)

    def add_layer(self, tar: Path, compression: str = "gzip") -> Layer:
        """Compress a tar file ("gzip", "zstd" or "none") and store it as a layer."""
        packed = self.root / "layer.tmp"
        _compress(tar, packed, compression)
        digest, size = "sha256:" + _sha256(packed), packed.stat().st_size
        packed.replace(self.blob_path(digest))
        suffix = {"gzip": "tar+gzip", "zstd": "tar+zstd", "none": "tar"}[compression]
        descriptor = {"mediaType": f"{OCI}layer.v1.{suffix}", "digest": digest, "size": size}
        return Layer(descriptor, "sha256:" + _sha256(tar))

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Give a manifest a tag, taking it from another."""
        others = [manifest for tag, manifest in self.tags().items() if tag != name]
        self._save([*others, {**descriptor, "annotations": {REF_NAME: name}}])

    def _save(self, manifests: list[Descriptor]) -> None:
        index = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": manifests}
        self._index.write_text(json.dumps(index, indent=1))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compress(source: Path, target: Path, compression: str) -> None:
    if compression == "zstd":
        subprocess.run(["zstd", "-q", "-f", "-3", source, "-o", target], check=True)
    elif compression == "gzip":
        with source.open("rb") as plain, target.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            shutil.copyfileobj(plain, packed, 1 << 20)
    else:
        shutil.copyfile(source, target)
