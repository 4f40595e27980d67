"""Manifests: bytes read into what they reference.

Spec: OCI Image 1.1, "Image manifest" and "Image index"; Docker Image Manifest V2, Schema 2.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from entrepot.domain import media_type as types
from entrepot.domain.digest import Digest
from entrepot.domain.error import DigestInvalid, ManifestInvalid, ManifestTooLarge
from entrepot.domain.limit import JSON_DEPTH_MAX, MANIFEST_BYTES_MAX, MANIFEST_DESCRIPTORS_MAX

SIZE_MAX = 2**63 - 1
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

    @property
    def content_size(self) -> int:
        """Bytes of config and layers together, each distinct digest once."""
        return sum({blob.digest: blob.size for blob in self.blobs}.values())


def parse_manifest(raw: bytes, declared_type: str | None = None, algorithm: str = "sha256") -> Manifest:
    """Read a manifest; `declared_type` is the Content-Type or imageManifestMediaType, if any.

    Raises:
        ManifestInvalid: not JSON, an unknown or contradicting media type, or a malformed member.
        ManifestTooLarge: above 4 MiB.
    """
    if len(raw) > MANIFEST_BYTES_MAX:
        raise ManifestTooLarge(MANIFEST_BYTES_MAX)
    document = parse_json_object(raw)
    kind = _media_type(document, declared_type)
    digest = Digest.of(raw, algorithm)
    if document.get("schemaVersion") != SCHEMA_VERSION or isinstance(document["schemaVersion"], bool):
        raise ManifestInvalid("schemaVersion must be 2")
    subject = _descriptor(document["subject"], "subject") if document.get("subject") is not None else None
    artifact_type = _text(document, "artifactType")
    annotations = _annotations(document)
    if kind in types.INDEXES:
        if "layers" in document or "config" in document:
            raise ManifestInvalid("an index has manifests, not layers or config")
        children = _descriptors(document, "manifests")
        return Manifest(raw, kind, digest, None, (), children, subject, artifact_type, annotations)
    if "manifests" in document:
        raise ManifestInvalid("an image manifest has layers, not manifests")
    if "config" not in document:
        raise ManifestInvalid("config is missing")
    config = _descriptor(document["config"], "config")
    layers = _descriptors(document, "layers")
    shown = artifact_type or config.media_type
    return Manifest(raw, kind, digest, config, layers, (), subject, shown, annotations)


def parse_json_object(raw: bytes) -> dict[str, Any]:
    """Read one JSON object of bounded depth.

    Raises:
        ManifestInvalid: not UTF-8, not JSON, too deep, doubled members, or not an object.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestInvalid("not UTF-8") from error
    if nesting_depth(text) > JSON_DEPTH_MAX:
        raise ManifestInvalid(f"nested deeper than {JSON_DEPTH_MAX} levels")
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        raise ManifestInvalid("Invalid JSON syntax") from error
    if not isinstance(document, dict):
        raise ManifestInvalid("not a JSON object")
    return document


def nesting_depth(text: str) -> int:
    """How deep the brackets outside strings of a JSON text nest; linear, no recursion."""
    if text.count("{") + text.count("[") <= JSON_DEPTH_MAX:
        return 0
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("doubled member")
    return document


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _media_type(document: dict[str, Any], declared: str | None) -> str:
    inside = _text(document, "mediaType")
    outside = types.essence(declared) if declared else None
    if outside in types.DOCKER_SCHEMA_1 or document.get("schemaVersion") == 1:
        raise ManifestInvalid("Docker schema 1 manifests are not accepted; push schema 2 or OCI")
    if outside in ("application/json", "application/octet-stream", "text/plain") and inside:
        outside = None
    if inside and outside and inside != outside:
        raise ManifestInvalid(f"mediaType {inside} differs from the declared type {outside}")
    kind = outside or inside or ""
    if not kind:
        raise ManifestInvalid("mediaType is missing: state it in the manifest or beside it")
    if kind not in types.MANIFESTS:
        raise ManifestInvalid(f"{kind} is not a manifest media type")
    return kind


def _text(document: dict[str, Any], member: str) -> str | None:
    value = document.get(member)
    if value is not None and not isinstance(value, str):
        raise ManifestInvalid(f"{member} must be a string")
    return value or None


def _annotations(document: dict[str, Any]) -> dict[str, str]:
    value = document.get("annotations") or {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ManifestInvalid("annotations must map strings to strings")
    return value


def _descriptors(document: dict[str, Any], member: str) -> tuple[Descriptor, ...]:
    value = document.get(member)
    if value is None:
        raise ManifestInvalid(f"{member} is missing")
    if not isinstance(value, list):
        raise ManifestInvalid(f"{member} must be a list")
    if len(value) > MANIFEST_DESCRIPTORS_MAX:
        raise ManifestInvalid(f"{member} has more than {MANIFEST_DESCRIPTORS_MAX} entries")
    return tuple(_descriptor(item, f"{member}[{index}]") for index, item in enumerate(value))


def _descriptor(value: object, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be an object")
    kind, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    if not isinstance(kind, str) or not isinstance(digest, str):
        raise ManifestInvalid(f"{where} needs mediaType and digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= SIZE_MAX:
        raise ManifestInvalid(f"{where} needs a size of 0 or more bytes")
    try:
        parsed = Digest.parse(digest)
    except DigestInvalid as error:
        raise ManifestInvalid(f"{where} has a malformed digest") from error
    return Descriptor(kind, parsed, size, _text(value, "artifactType"))
