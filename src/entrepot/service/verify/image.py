"""Verification of images: the bytes of each manifest, and what its rows say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from entrepot.domain.digest import Digest
from entrepot.domain.error import RegistryError
from entrepot.domain.manifest import Manifest, parse_manifest
from entrepot.store.metadata.manifest_reference import ReferenceKind
from entrepot.store.metadata.verify import ImageFacts, ReferenceFacts

Said = tuple[str, str, str]
"""Kind, media type and digest of one descriptor."""


def check_image(image: ImageFacts) -> Iterator[tuple[str, str]]:
    """Which invariants an image breaks, and how."""
    algorithm = image.digest.partition(":")[0]
    if len(image.raw) != image.size_bytes or str(Digest.of(image.raw, algorithm)) != image.digest:
        yield "image-digest", "the bytes of the manifest are not those of its digest"
        return  # what they say means nothing
    try:
        manifest = parse_manifest(image.raw, image.media_type, algorithm)
    except RegistryError as error:  # accepted by another version; its bytes are what was pushed
        yield "image-facts", f"this version does not understand the manifest: {error}"
        return
    if fault := _reference_fault(manifest, image.references):
        yield "image-references", fault
        return  # what is computed from them means nothing
    for name, said, computed in _facts(manifest, image):
        if said != computed:
            yield "image-facts", f"{name} is {said}, the manifest says {computed}"


def _reference_fault(manifest: Manifest, references: Sequence[ReferenceFacts]) -> str:
    descriptors = manifest.children if manifest.is_index else manifest.blobs
    if len(references) != len(descriptors):
        return f"there are {len(references)} references for {len(descriptors)} descriptors"
    for place, (descriptor, row) in enumerate(zip(descriptors, references, strict=True)):
        kind = ReferenceKind.CHILD if manifest.is_index else ReferenceKind.LAYER
        if place == 0 and manifest.config:
            kind = ReferenceKind.CONFIG
        if row.digest is None and not descriptor.is_distributable:
            continue
        if (row.kind, row.media_type, row.digest) != (kind.value, descriptor.media_type, str(descriptor.digest)):
            return f"reference {place} is not to {descriptor.digest}"
    return ""


def _facts(manifest: Manifest, image: ImageFacts) -> Iterator[tuple[str, object, object]]:
    yield "media_type", image.media_type, manifest.media_type
    yield "artifact_type", image.artifact_type, manifest.artifact_type
    yield "subject_digest", image.subject_digest, str(manifest.subject.digest) if manifest.subject else None
    yield "image_size_bytes", image.image_size_bytes, _size_bytes(image.references)


def _size_bytes(references: Sequence[ReferenceFacts]) -> int:
    """As a push computes it: each blob once; of an index the largest child, or its loose blobs together."""
    blobs = {row.blob_id: row.size_bytes or 0 for row in references if row.blob_id is not None}
    children = [row.size_bytes or 0 for row in references if row.child_id is not None]
    return max([*children, sum(blobs.values())])
