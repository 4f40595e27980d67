"""Manifests: bytes read into what they reference.

Spec: OCI Image 1.1, "Image manifest" and "Image index"; Docker Image Manifest V2, Schema 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from entrepot.domain import media_type as types
from entrepot.domain.digest import Digest
from entrepot.domain.error import DigestInvalid, ManifestInvalid, ManifestTooLarge
from entrepot.domain.json_document import DocumentInvalid, parse_document
from entrepot.domain.limit import MANIFEST_BYTES_MAX, MANIFEST_DESCRIPTORS_MAX, MEDIA_TYPE_LENGTH_MAX

SIZE_MAX = 2**63 - 1

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNTYPED = frozenset({"application/json", "application/octet-stream", "text/plain"})
"""Declared types that clients send when they mean none."""
SCHEMA_VERSION = 2
"""The only schemaVersion of Docker's schema 2 and of OCI."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of some bytes: their type, digest and size in bytes."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None

    @property
    def is_distributable(self) -> bool:
        """Whether the registry must hold the bytes."""
        return types.essence(self.media_type) not in types.NON_DISTRIBUTABLE


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index, as pushed and as understood."""

    raw: bytes
    media_type: str
    digest: Digest
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    """What referrers and DescribeImages show: artifactType, else the config's type for an image manifest."""
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests rather than layers."""
        return self.media_type in types.INDEXES

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers in order."""
        return (self.config, *self.layers) if self.config else self.layers


def parse_manifest(raw: bytes, declared_type: str | None = None, algorithm: str = "sha256") -> Manifest:
    """Read a manifest; `declared_type` is the Content-Type or imageManifestMediaType, if any.

    What Go programs write for an empty list, null, is taken as one. Unknown members are left alone.

    Raises:
        ManifestInvalid: not JSON, an unknown or contradicting media type, or a malformed member.
        ManifestTooLarge: above 4 MiB.
    """
    if len(raw) > MANIFEST_BYTES_MAX:
        raise ManifestTooLarge(MANIFEST_BYTES_MAX)
    try:
        document = parse_document(raw)
    except DocumentInvalid as error:
        raise ManifestInvalid(error.detail) from error
    kind = _media_type(document, declared_type)
    version = document.get("schemaVersion")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise ManifestInvalid(f"schemaVersion must be {SCHEMA_VERSION}")
    read = _read_index if kind in types.INDEXES else _read_image
    return read(document, raw, kind, Digest.of(raw, algorithm))


def annotations_of(raw: bytes) -> dict[str, str]:
    """The annotations of a manifest that was accepted once, perhaps under other rules; what is unusable is left out."""
    try:
        value = parse_document(raw).get("annotations")
    except DocumentInvalid:
        return {}
    return {key: text for key, text in value.items() if _is_text(key, text)} if isinstance(value, dict) else {}


def _read_index(document: dict[str, Any], raw: bytes, kind: str, digest: Digest) -> Manifest:
    if document.get("layers") is not None or document.get("config") is not None:
        raise ManifestInvalid("an index has manifests, not layers or config")
    return Manifest(
        raw,
        kind,
        digest,
        children=_descriptors(document, "manifests"),
        subject=_subject(document),
        artifact_type=_media_text(document, "artifactType"),
        annotations=_annotations(document),
    )


def _read_image(document: dict[str, Any], raw: bytes, kind: str, digest: Digest) -> Manifest:
    if document.get("manifests") is not None:
        raise ManifestInvalid("an image manifest has layers, not manifests")
    if document.get("config") is None:
        raise ManifestInvalid("config is missing")
    config = _descriptor(document["config"], "config")
    return Manifest(
        raw,
        kind,
        digest,
        config,
        layers=_descriptors(document, "layers"),
        subject=_subject(document),
        artifact_type=_media_text(document, "artifactType") or config.media_type,
        annotations=_annotations(document),
    )


def _media_type(document: dict[str, Any], declared: str | None) -> str:
    inside = types.essence(_media_text(document, "mediaType") or "")
    outside = types.essence(_media_text({"the declared type": declared}, "the declared type") or "")
    if outside in types.DOCKER_SCHEMA_1 or document.get("schemaVersion") == 1:
        raise ManifestInvalid("Docker schema 1 manifests are not accepted; push schema 2 or OCI")
    if outside in _UNTYPED:
        outside = ""
    if inside and outside and inside != outside:
        raise ManifestInvalid(f"mediaType {inside} differs from the declared type {outside}")
    kind = outside or inside
    if not kind:
        raise ManifestInvalid("mediaType is missing: state it in the manifest or beside it")
    if kind not in types.MANIFESTS:
        raise ManifestInvalid(f"{kind} is not a manifest media type")
    return kind


def _media_text(document: dict[str, Any], member: str) -> str | None:
    value = document.get(member)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MEDIA_TYPE_LENGTH_MAX or not value.isprintable():
        raise ManifestInvalid(f"{member} must be at most {MEDIA_TYPE_LENGTH_MAX} printable characters")
    return value


def _annotations(document: dict[str, Any]) -> dict[str, str]:
    value = document.get("annotations")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(_is_text(key, text) for key, text in value.items()):
        raise ManifestInvalid("annotations must map strings to strings")
    return value


def _is_text(*values: object) -> bool:
    """Whether all are strings of whole characters: JSON can name half of a surrogate pair, UTF-8 cannot."""
    return all(isinstance(value, str) and not _SURROGATE.search(value) for value in values)


def _subject(document: dict[str, Any]) -> Descriptor | None:
    value = document.get("subject")
    return None if value is None else _descriptor(value, "subject")


def _descriptors(document: dict[str, Any], member: str) -> tuple[Descriptor, ...]:
    if member not in document:
        raise ManifestInvalid(f"{member} is missing")
    value = document[member]
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ManifestInvalid(f"{member} must be a list")
    if len(value) > MANIFEST_DESCRIPTORS_MAX:
        raise ManifestInvalid(f"{member} has more than {MANIFEST_DESCRIPTORS_MAX} entries")
    return tuple(_descriptor(item, f"{member}[{index}]") for index, item in enumerate(value))


def _descriptor(value: object, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be an object")
    kind, digest, size = _media_text(value, "mediaType"), value.get("digest"), value.get("size")
    if kind is None or not isinstance(digest, str):
        raise ManifestInvalid(f"{where} needs mediaType and digest")
    if type(size) is not int or not 0 <= size <= SIZE_MAX:
        raise ManifestInvalid(f"{where} needs a size of 0 or more bytes")
    try:
        parsed = Digest.parse(digest)
    except DigestInvalid as error:
        raise ManifestInvalid(f"{where} has a malformed digest") from error
    return Descriptor(kind, parsed, size, _media_text(value, "artifactType"))
