"""Content for the conformance workflows: every kind of image, index and artifact, with all that it is made of."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.wire import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor, digest_of, encode

ARTIFACT_ONE = "application/vnd.example.one.v1"
ARTIFACT_TWO = "application/vnd.example.two.v1"
UNCOMPRESSED = "application/vnd.oci.image.layer.v1.tar"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"

Described = dict[str, Any]


@dataclass(slots=True)
class Content:
    """Blobs and manifests in the order in which they can be pushed, tags, and what refers to what."""

    algorithm: str = "sha256"
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    referrers: dict[str, list[Described]] = field(default_factory=dict)
    """The descriptors that the list of each subject must hold."""
    has_tag_parameters: bool = False
    """Whether tags go beside the digest rather than in a push of their own."""

    def blob(self, content: bytes, media_type: str) -> Described:
        """Add a blob; its descriptor."""
        digest = digest_of(content, self.algorithm)
        self.blobs[digest] = content
        return descriptor(media_type, digest, len(content))

    def layer(self, media_type: str = OCI_LAYER) -> Described:
        """A layer that nobody has seen before."""
        content = secrets.token_bytes(200)
        return self.blob(gzip.compress(content) if media_type == OCI_LAYER else content, media_type)

    def manifest(self, document: dict[str, Any], tag: str | None = None) -> Described:
        """Add a manifest; its descriptor."""
        raw = encode(document)
        digest = digest_of(raw, self.algorithm)
        self.manifests[digest] = raw
        if tag is not None:
            self.tags[tag] = digest
        described = descriptor(document["mediaType"], digest, len(raw))
        if subject := document.get("subject"):
            kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
            shown = {**described, **({"artifactType": kind} if kind else {})}
            if notes := document.get("annotations"):
                shown["annotations"] = notes
            self.referrers.setdefault(subject["digest"], []).append(shown)
        return described

    def image(self, tag: str | None = None, layers: list[Described] | None = None, **members: Any) -> Described:
        """An image; of two new layers unless others are given."""
        config = self.blob(encode({"architecture": "amd64", "note": secrets.token_hex(8)}), OCI_CONFIG)
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config}
        layers = [self.layer(), self.layer()] if layers is None else layers
        return self.manifest({**document, "layers": layers, **members}, tag)

    def artifact(self, kind: str, tag: str | None = None, **members: Any) -> Described:
        """An artifact: the empty config and one blob of its own."""
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind}
        parts = {"config": self.blob(b"{}", OCI_EMPTY), "layers": [self.layer(kind)]}
        return self.manifest({**document, **parts, **members}, tag)

    def index(self, children: list[Described], tag: str | None = None, **members: Any) -> Described:
        """An index of `children`."""
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
        return self.manifest({**document, **members}, tag)


def _image(content: Content) -> None:
    content.image("image")


def _uncompressed(content: Content) -> None:
    content.image("plain", [content.layer(UNCOMPRESSED)])


def _large(content: Content) -> None:
    content.image("large", annotations={f"large-{number}": "A" * 10_000 for number in range(390)})


def _index(content: Content) -> None:
    platforms = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
    content.index([{**content.image(), "platform": platform} for platform in platforms], "index")


def _nested(content: Content) -> None:
    content.index([content.index([content.image(), content.image()]) for _ in range(2)], "nested")


def _empty_index(content: Content) -> None:
    content.index([], "nothing")


def _artifact(content: Content) -> None:
    content.artifact(ARTIFACT_ONE, "artifact")


def _artifact_index(content: Content) -> None:
    content.index([content.artifact(ARTIFACT_ONE) for _ in range(2)], "artifacts", artifactType=ARTIFACT_ONE)


def _artifact_without_layers(content: Content) -> None:
    empty = content.blob(b"{}", OCI_EMPTY)
    content.artifact(ARTIFACT_ONE, "bare", config=empty, layers=[empty])


def _subjects(content: Content) -> None:
    about = content.image("subject")
    content.image(subject=about)
    for kind in (ARTIFACT_ONE, ARTIFACT_TWO):
        content.artifact(kind, f"about-{kind[-6:-3]}", subject=about, annotations={"note": kind})


def _index_about_an_index(content: Content) -> None:
    about = content.index([content.image()], "subject")
    members = {"subject": about, "annotations": {"note": "x"}}
    content.index([content.artifact(ARTIFACT_ONE)], "about", artifactType=ARTIFACT_ONE, **members)
    content.index([], "untyped", **members)


def _missing_subject(content: Content) -> None:
    about = descriptor(OCI_MANIFEST, digest_of(secrets.token_bytes(9), content.algorithm), 123)
    content.artifact(ARTIFACT_ONE, "early", subject=about)


def _data(content: Content) -> None:
    content.image("data", config={**content.blob(b"{}", OCI_EMPTY), "data": "e30="})


def _foreign(content: Content) -> None:
    absent = [descriptor(f"{FOREIGN}{end}", digest_of(secrets.token_bytes(9)), 123) for end in ("", "+gzip", "+zstd")]
    layers = [{**layer, "urls": ["https://store.example.com/x"]} for layer in absent]
    content.image("foreign", [*layers, content.layer()])


def _custom_fields(content: Content) -> None:
    extra: dict[str, Any] = {"org.example.extra": {"deep": [1, None, "ü"]}}
    content.index([{**content.image(**extra), **extra}], "custom", **extra)


def _no_layers(content: Content) -> None:
    content.image("no-layers", [])


def _every_manifest_tagged(content: Content) -> None:
    content.index([content.image(), content.image()], "top")
    content.tags |= {f"tag-{number}": digest for number, digest in enumerate(content.manifests)}
    content.has_tag_parameters = True


def _untagged(content: Content) -> None:
    content.index([content.image(), content.image()])


def _two_algorithms(content: Content) -> None:
    mine, content.algorithm = content.algorithm, {"sha256": "sha512", "sha512": "sha256"}[content.algorithm]
    layer, child = content.layer(), content.image()
    content.algorithm = mine
    content.index([child, content.image(layers=[layer, content.layer()])], "mixed", subject=child)
    content.artifact(ARTIFACT_ONE, "about", subject=child)


KINDS: dict[str, Callable[[Content], None]] = {
    "image": _image,
    "uncompressed": _uncompressed,
    "large manifest": _large,
    "index": _index,
    "nested index": _nested,
    "empty index": _empty_index,
    "artifact": _artifact,
    "artifact index": _artifact_index,
    "artifact without layers": _artifact_without_layers,
    "subjects": _subjects,
    "index about an index": _index_about_an_index,
    "missing subject": _missing_subject,
    "data": _data,
    "foreign layers": _foreign,
    "custom fields": _custom_fields,
    "no layers": _no_layers,
    "every manifest tagged": _every_manifest_tagged,
    "untagged": _untagged,
    "two algorithms": _two_algorithms,
}


def make(kind: str, algorithm: str) -> Content:
    """New content of a kind. A push by tag means sha256; beside a digest, a tag takes the digest's algorithm."""
    content = Content(algorithm, has_tag_parameters=algorithm != "sha256")
    KINDS[kind](content)
    return content
