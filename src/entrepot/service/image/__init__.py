"""Images: pushed, read, listed, described and deleted, the same for both planes.

Spec: ECR API, PutImage, BatchGetImage, ListImages, DescribeImages, BatchDeleteImage; OCI Distribution 1.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from entrepot.domain.digest import Digest
from entrepot.domain.error import (
    ImageDigestDoesNotMatch,
    ImageNotFound,
    ImageReferencedByManifestList,
    LimitExceeded,
)
from entrepot.domain.image import FailureCode, Image, ImageDetail, ImageFailure, ImageFilter
from entrepot.domain.key_provider import KeyProviderAway, KeyRefused
from entrepot.domain.limit import MIB
from entrepot.domain.manifest import Manifest, parse_manifest
from entrepot.domain.page import Page, PageRequest
from entrepot.domain.promise import DEFAULT_PROMISE, BlobPromise
from entrepot.domain.reference import ImageId, Reference, Tag
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.sealed_key import SealedKey
from entrepot.domain.view import ImageRow, ImageView
from entrepot.service.context import Context
from entrepot.service.image import listing
from entrepot.service.image.batch import Judged, judge_batch
from entrepot.service.image.deletion import Deletion, DeletionOutcome, delete_images
from entrepot.service.image.pull import PullLog
from entrepot.service.image.push import Push, PushOutcome, push_image
from entrepot.service.image.quota import ImageQuota
from entrepot.service.repository_key import RepositoryKeys
from entrepot.service.row_cache import RowCache
from entrepot.store.metadata import image as images
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.view import view_image

CACHE_BYTES = 64 * MIB
PARSED_INLINE_BYTES = 64 * 1024
"""Manifests above this are parsed in a thread."""
READ_INLINE_BYTES = 256 * 1024
"""Manifests above this are read in the pool of readers."""

# Named here because the class has a method `list`.
Types = list[str]
Got = list[tuple[ImageId, Image]]
Deleted = list[ImageId]
Failures = list[ImageFailure]


@dataclass(frozen=True, slots=True)
class PushedImage:
    """What a push answers."""

    manifest: Manifest
    image_id: ImageId
    """The digest, and the first tag that was asked for."""
    is_new: bool
    """Whether the repository did not have the digest."""


class ImageService:
    """The images of every registry. One per worker: it holds that worker's cache of manifest bytes."""

    def __init__(
        self,
        database: Database,
        context: Context,
        *,
        cache_bytes: int = CACHE_BYTES,
        quota: ImageQuota | None = None,
        promise: BlobPromise = DEFAULT_PROMISE,
        keys: RepositoryKeys | None = None,
    ) -> None:
        self._database, self._context = database, context
        self._keys = keys or RepositoryKeys()
        self._cache = RowCache[Image](cache_bytes)
        self._quota = quota or ImageQuota()
        self._promise = promise
        self.pulls = PullLog(database, context)
        """A worker calls its `flush` now and then, and at the end."""

    # ── pushing ──────────────────────────────────────────────────────────────────────────────

    async def put(
        self,
        registry: Registry,
        name: RepositoryName,
        raw: bytes,
        *,
        declared_type: str | None,
        tags: Sequence[Tag],
        digest: Digest | None,
        is_idempotent: bool,
    ) -> PushedImage:
        """Store a manifest under its digest and `tags`, all or nothing; durable on return.

        `declared_type` is the media type said beside the bytes. `digest`, if given, must be that of the bytes and
        decides the algorithm of the image's digest.

        Raises:
            ManifestInvalid, ManifestTooLarge, ImageDigestDoesNotMatch: the bytes are not acceptable.
            RepositoryNotFound, LayersNotFound, ReferencedImagesNotFound: something named is not there.
            ImageAlreadyExists: not idempotent, and nothing would change.
            ImageTagAlreadyExists: a tag is fixed on another image.
            LimitExceeded: too many images in the repository, or tags on the image.
            KeyRefused, KeyProviderAway: the repository's key cannot be opened.
        """
        manifest = await _parse(raw, declared_type, digest.algorithm if digest else "sha256")
        if digest is not None and digest != manifest.digest:
            raise ImageDigestDoesNotMatch(registry, name, digest)
        now = self._context.now_micros()
        if self._quota.is_count_due((registry, name), now):
            await self._count(registry, name, now)
        is_full = self._quota.is_full((registry, name))
        push = Push(registry, name, manifest, tuple(tags), is_idempotent, is_full, now)
        outcome = await self._push(push)
        if outcome.is_new:
            self._quota.admit((registry, name))
        return PushedImage(manifest, push.image_id, outcome.is_new)

    async def _push(self, push: Push) -> PushOutcome:
        """Push; a new image that a full repository refuses is tried again if there is room by now."""
        try:
            return await self._keys.with_open(
                lambda: self._database.write(
                    lambda connection: push_image(connection, push, self._keys), is_short=push.is_short
                )
            )
        except LimitExceeded:
            if not push.is_full:
                raise
            await self._count(push.registry, push.repository, push.now_micros)
            if self._quota.is_full((push.registry, push.repository)):
                raise
        return await self._push(replace(push, is_full=False))

    async def _count(self, registry: Registry, name: RepositoryName, now: int) -> None:
        """Outside the transaction, so that no writer waits for it."""
        count = await self._database.read(lambda connection: listing.count_images(connection, registry, name))
        self._quota.learn((registry, name), count, now)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    async def view(
        self, caller_account_id: str, registry: Registry, name: RepositoryName, reference: Reference
    ) -> ImageView:
        """The one read of a request for an image: epochs, repository and image, each if it is there."""
        return await self._database.lookup(
            lambda connection: view_image(connection, caller_account_id, registry, name, reference)
        )

    async def load(self, row: ImageRow, *, is_pull: bool = True) -> Image:
        """The bytes of an image that `view` found; `is_pull` notes the time for lastRecordedPullTime.

        Raises:
            ImageNotFound: it was deleted in between.
        """
        image = self._cache.find(row.id)
        if image is None:
            run = self._database.lookup if row.size_bytes <= READ_INLINE_BYTES else self._database.read
            raw = await run(lambda connection: images.find_raw(connection, row.id))
            if raw is None:
                raise ImageNotFound(row.registry, row.repository, ImageId(row.digest))
            image = Image(row.id, row.digest, row.media_type, raw)
            self._cache.add(image.id, image, len(raw))
        if is_pull:
            self.pulls.record(row.id)
        return image

    async def batch_get(
        self, registry: Registry, name: RepositoryName, image_ids: Sequence[ImageId], accepted: Types
    ) -> tuple[Got, Failures]:
        """The images of `image_ids` as stored, each with its digest and the tag it was asked by; and what failed.

        Spec: ECR API, BatchGetImage. An image whose media type is not `accepted` (empty takes all) counts as not
        found: nothing is converted.

        Raises:
            RepositoryNotFound: no such repository.
            LimitExceeded: the manifests are more than 64 MiB together.
        """
        seal, judged = await self._database.read(
            lambda connection: judge_batch(connection, registry, name, image_ids, accepted)
        )
        if seal is not None:
            judged = await self._judge_key(seal, judged)
        got: Got = []
        failures: Failures = []
        for image_id, row in judged.items():
            if isinstance(row, FailureCode):
                failures.append(ImageFailure(image_id, row))
                continue
            try:
                got.append((ImageId(row.digest, image_id.tag), await self.load(row)))
            except ImageNotFound:
                failures.append(ImageFailure(image_id, FailureCode.IMAGE_NOT_FOUND))
        return got, failures

    async def _judge_key(self, seal: SealedKey, judged: Judged) -> Judged:
        """What becomes of every id: nothing is served while the key of the repository does not open."""
        try:
            await self._keys.open(seal)
        except (KeyRefused, KeyProviderAway):
            return {one: FailureCode.KMS_ERROR if isinstance(row, ImageRow) else row for one, row in judged.items()}
        return judged

    # ── lists ────────────────────────────────────────────────────────────────────────────────

    async def list(
        self, registry: Registry, name: RepositoryName, wanted: ImageFilter, page: PageRequest
    ) -> Page[ImageId]:
        """One entry per tag and one per untagged image; keys are (row id, tag name or empty).

        Raises:
            RepositoryNotFound: no such repository.
        """
        return await self._database.read(
            lambda connection: listing.list_image_ids(connection, registry, name, wanted, page)
        )

    async def describe(
        self,
        registry: Registry,
        name: RepositoryName,
        image_ids: Sequence[ImageId] | None,
        wanted: ImageFilter,
        page: PageRequest,
    ) -> Page[ImageDetail]:
        """Details of a page of images (keys are row ids), or of the images named, on one page in that order.

        The filter holds for named images too: ask with status None to see them in every storage class.

        Raises:
            RepositoryNotFound: no such repository.
            ImageNotFound: a named image is not there, or its tag is on another image than its digest.
        """
        if image_ids is None:
            return await self._database.read(
                lambda connection: listing.describe_page(connection, registry, name, wanted, page)
            )
        return await self._database.read(
            lambda connection: listing.describe_named(connection, registry, name, image_ids, wanted)
        )

    async def list_tags(self, registry: Registry, name: RepositoryName, page: PageRequest) -> Page[Tag]:
        """Tags by (lower-case name, name), which are the keys too: the `last` of OCI is (last.lower(), last).

        Raises:
            RepositoryNotFound: no such repository.
        """
        return await self._database.read(lambda connection: listing.list_tags(connection, registry, name, page))

    # ── deleting ─────────────────────────────────────────────────────────────────────────────

    async def batch_delete(
        self, registry: Registry, name: RepositoryName, image_ids: Sequence[ImageId]
    ) -> tuple[Deleted, Failures]:
        """Delete tags and images; one entry per tag that went, or per untagged image, with its digest.

        Spec: ECR API, BatchDeleteImage. By tag only the tag goes, and the image with its last one; by digest the
        image with all its tags. The child of an index stays until the index is gone; one batch may hold both.

        Raises:
            RepositoryNotFound: no such repository.
        """
        outcome = await self._delete(registry, name, image_ids, is_child_kept=False)
        return outcome.deleted, outcome.failures

    async def delete(self, registry: Registry, name: RepositoryName, reference: Reference) -> None:
        """Delete by digest or tag as `/v2/` means it.

        As `batch_delete`, but the last tag of an index's child goes alone.

        Raises:
            RepositoryNotFound, ImageNotFound: it is not there.
            ImageReferencedByManifestList: a digest that an index of the repository names.
        """
        image_id = ImageId(tag=reference) if isinstance(reference, Tag) else ImageId(digest=reference)
        outcome = await self._delete(registry, name, [image_id], is_child_kept=True)
        for failure in outcome.failures:
            if failure.code is FailureCode.IMAGE_REFERENCED_BY_MANIFEST_LIST:
                raise ImageReferencedByManifestList(name, image_id, [*failure.digests])
            raise ImageNotFound(registry, name, image_id)

    async def _delete(
        self, registry: Registry, name: RepositoryName, image_ids: Sequence[ImageId], *, is_child_kept: bool
    ) -> DeletionOutcome:
        now = self._context.now_micros()
        deletion = Deletion(registry, name, image_ids, is_child_kept, now, self._promise.keep_until(now))
        return await self._database.write(lambda connection: delete_images(connection, deletion))


async def _parse(raw: bytes, declared_type: str | None, algorithm: str) -> Manifest:
    if len(raw) <= PARSED_INLINE_BYTES:
        return parse_manifest(raw, declared_type, algorithm)
    return await asyncio.to_thread(parse_manifest, raw, declared_type, algorithm)
