"""Pushing a manifest: one transaction that checks what it names, stores it, puts its tags and records events.

Spec: ECR API, PutImage; OCI Distribution 1.1, "Pushing manifests"; ECR user guide, "Image tag mutability".

What a manifest names must be there, in this repository: every layer and config but non-distributable layers, every
child of an index. Two things are tolerated, as other registries do, because real artifacts rely on them: a
descriptor whose size is not that of the stored blob (clients check sizes when they pull), and a child of an index
whose media type is not a manifest's, if a blob of that digest is linked (BuildKit's caches). A subject may be
missing. Sizes shown are those of the stored blobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain import media_type as types
from entrepot.domain.digest import Digest
from entrepot.domain.error import (
    ImageAlreadyExists,
    ImageTagAlreadyExists,
    LayersNotFound,
    LimitExceeded,
    ReferencedImagesNotFound,
    Throttled,
)
from entrepot.domain.event import Event, EventKind
from entrepot.domain.limit import IMAGE_TAGS_PER_IMAGE_MAX, IMAGES_MAX
from entrepot.domain.manifest import Descriptor, Manifest
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.service.event import record
from entrepot.service.repository_key import RepositoryKeys
from entrepot.store.metadata import image as images
from entrepot.store.metadata import tag as tag_rows
from entrepot.store.metadata.manifest_reference import Reference, ReferenceKind, insert_references, lock_links
from entrepot.store.metadata.repository_key import RepositoryKey, get_repository_key

SHORT_ROWS, SHORT_BYTES = 32, 64 * 1024
"""A push of so many descriptors and tags, and of so many bytes, is short: most are."""

ATTEMPTS = 5
"""How often a row may vanish between two statements before we give up."""


@dataclass(frozen=True, slots=True)
class Push:
    """What is pushed, and where."""

    registry: Registry
    repository: RepositoryName
    manifest: Manifest
    tags: tuple[Tag, ...]
    is_idempotent: bool
    """Whether pushing what is there already succeeds (`/v2/`) or fails (PutImage)."""
    is_full: bool
    """Whether the repository takes no new image, only tags on those that it has."""
    now_micros: int

    @property
    def is_short(self) -> bool:
        """Whether storing it takes a few statements of few bytes."""
        descriptors = len(self.manifest.blobs) + len(self.manifest.children)
        return descriptors + len(self.tags) <= SHORT_ROWS and len(self.manifest.raw) <= SHORT_BYTES

    @property
    def image_id(self) -> ImageId:
        """The image as the caller named it."""
        return ImageId(self.manifest.digest, self.tags[0] if self.tags else None)


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What a push changed."""

    is_new: bool
    """Whether the repository did not have the digest."""


def push_image(connection: Connection, push: Push, keys: RepositoryKeys) -> PushOutcome:
    """Store a manifest and put its tags, or change nothing.

    Raises:
        RepositoryNotFound, LayersNotFound, ReferencedImagesNotFound: something named is not there.
        ImageAlreadyExists: not idempotent, and nothing would change.
        ImageTagAlreadyExists: a tag is fixed on another image.
        LimitExceeded: too many images in the repository, or tags on the image.
        SealClosed: for use with `RepositoryKeys.with_open`.
    """
    key = get_repository_key(connection, push.registry, push.repository, is_locked=True)
    if key.seal is not None:
        keys.get(key.seal)
    references, size_bytes = _references(connection, key, push)
    image_id, is_new = _store(connection, key, push, references, size_bytes)
    if is_new and push.is_full:
        raise LimitExceeded(f"A repository can have at most {IMAGES_MAX} images")
    # In one order for everybody, so that two pushes of the same tags do not wait for each other.
    changed = [tag for tag in sorted(set(push.tags), key=str) if _put_tag(connection, key, push, tag, image_id)]
    if changed and tag_rows.has_more_tags(connection, image_id, IMAGE_TAGS_PER_IMAGE_MAX):
        raise LimitExceeded(f"An image can have at most {IMAGE_TAGS_PER_IMAGE_MAX} tags")
    if not (is_new or changed or push.is_idempotent):
        raise ImageAlreadyExists(push.registry, push.repository, push.image_id)
    if is_new or changed:
        _record(connection, key, push, changed)
    return PushOutcome(is_new)


def _references(connection: Connection, key: RepositoryKey, push: Push) -> tuple[list[Reference], int]:
    if push.manifest.is_index:
        return _index_references(connection, key, push)
    return _image_references(connection, key, push)


def _image_references(connection: Connection, key: RepositoryKey, push: Push) -> tuple[list[Reference], int]:
    blobs = push.manifest.blobs
    links = lock_links(connection, key.id, key.domain_id, (blob.digest for blob in blobs))
    if missing := _distinct(blob.digest for blob in blobs if blob.is_distributable and blob.digest not in links):
        raise LayersNotFound(push.registry, push.repository, missing)
    references = []
    for place, blob in enumerate(blobs):
        kind = ReferenceKind.CONFIG if place == 0 and push.manifest.config else ReferenceKind.LAYER
        link = links.get(blob.digest)
        references.append(Reference(kind, blob.media_type, blob_id=link.blob_id if link else None))
    return references, sum(link.size_bytes for link in links.values())


def _index_references(connection: Connection, key: RepositoryKey, push: Push) -> tuple[list[Reference], int]:
    children = push.manifest.children
    rows = images.lock_children(connection, key.id, (child.digest for child in children))
    manifests = {row.digest: row for row in rows}
    loose = [child.digest for child in children if child.digest not in manifests and not _is_manifest(child)]
    blobs = lock_links(connection, key.id, key.domain_id, loose) if loose else {}
    if missing := _distinct(c.digest for c in children if c.digest not in manifests and c.digest not in blobs):
        raise ReferencedImagesNotFound(push.registry, push.repository, missing)
    references = []
    for child in children:
        if row := manifests.get(child.digest):
            references.append(Reference(ReferenceKind.CHILD, child.media_type, child_id=row.id))
        else:
            blob_id = blobs[child.digest].blob_id
            references.append(Reference(ReferenceKind.CHILD, child.media_type, blob_id=blob_id))
    sizes = [row.image_size_bytes for row in rows]
    return references, max([*sizes, sum(blob.size_bytes for blob in blobs.values())])


def _is_manifest(child: Descriptor) -> bool:
    return types.essence(child.media_type) in types.MANIFESTS


def _distinct(digests: Iterable[Digest]) -> list[Digest]:
    return list(dict.fromkeys(digests))


def _store(
    connection: Connection, key: RepositoryKey, push: Push, references: list[Reference], size_bytes: int
) -> tuple[int, bool]:
    for _ in range(ATTEMPTS):
        new = images.insert_image(connection, key.id, push.manifest, size_bytes, push.now_micros)
        if new is not None:
            insert_references(connection, key.id, new, references)
            return new, True
        existing = images.lock_image(connection, key.id, push.manifest.digest)
        if existing is not None:
            return existing, False
        # It was there for the insert and is gone for the lock: somebody deleted it in between.
    raise Throttled


def _put_tag(connection: Connection, key: RepositoryKey, push: Push, tag: Tag, image_id: int) -> bool:
    """Put a tag on the image; False when it was there already."""
    if not key.tag_mutability.is_fixed(tag):
        return tag_rows.move_tag(connection, key.id, tag, image_id, push.now_micros)
    for _ in range(ATTEMPTS):
        if tag_rows.fix_tag(connection, key.id, tag, image_id, push.now_micros):
            return True
        target = tag_rows.find_target(connection, key.id, tag)
        if target == image_id:
            return False
        if target is not None:
            raise ImageTagAlreadyExists(push.repository, tag)
        # The tag was deleted between the two statements.
    raise Throttled


def _record(connection: Connection, key: RepositoryKey, push: Push, changed: list[Tag]) -> None:
    details = {"digest": str(push.manifest.digest), "media_type": push.manifest.media_type}
    if push.manifest.artifact_type:
        details["artifact_type"] = push.manifest.artifact_type
    for tagged in [{"tag": tag.name} for tag in changed] or [{}]:
        event = Event(EventKind.IMAGE_PUSHED, push.repository, {**details, **tagged})
        record(connection, key.registry_id, event, push.now_micros)
