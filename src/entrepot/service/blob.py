"""Blobs: looking them up, reading, keeping, mounting, unlinking, and URLs to download them.

Every answer about existence comes from the links of the repository that was asked for, never from the blob itself.

Spec: OCI Distribution 1.1, "Pulling blobs", "Mounting a blob from another repository"; ECR API,
BatchCheckLayerAvailability and GetDownloadUrlForLayer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from entrepot.domain.account_setting import ENABLED, Setting
from entrepot.domain.blob import LayerAvailability, StoredBlob
from entrepot.domain.digest import Digest
from entrepot.domain.download_url import Download, signed_path, verified_download
from entrepot.domain.error import BlobNotFound, BlobReferenced, LayersNotFound, RepositoryNotFound
from entrepot.domain.key_provider import KeyProviderAway, KeyRefused
from entrepot.domain.limit import DOWNLOAD_URL_LIFETIME_SECONDS, MIB
from entrepot.domain.promise import DEFAULT_PROMISE, BlobPromise
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.view import BlobView
from entrepot.service.account_setting import AccountSettingService
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.link_key import link_key_for
from entrepot.service.row_cache import RowCache
from entrepot.service.storage import Storage
from entrepot.store.blob.base import Format, Location, Reader
from entrepot.store.metadata import blob as rows
from entrepot.store.metadata.base import Database, to_micros
from entrepot.store.metadata.maintenance import own
from entrepot.store.metadata.repository_key import RepositoryKey, get_repository_key
from entrepot.store.metadata.view import view_blob

READ_BYTES = MIB
"""Plain bytes read at once: four frames."""

SMALL_BYTES = 64 * 1024
"""Blobs up to this size, such as the configurations of images, are kept in memory once they were read."""

SMALL_BYTES_KEPT = 16 * MIB
"""By one worker. See docs/adr/0017."""

REDIRECT_SECONDS = 900
"""A download that was begun goes on; one that is to be taken up again asks us again."""

REDIRECT_HEADERS = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
"""Bytes that somebody pushed never act as a page, whatever S3 would say. Spec: security rules, "Output"."""

DOWNLOAD_PURPOSE = "download-url"


class BlobService:
    """Blobs of every registry of this server."""

    def __init__(
        self,
        database: Database,
        context: Context,
        keys: KeyService,
        storage: Storage,
        settings: AccountSettingService,
        *,
        promise: BlobPromise = DEFAULT_PROMISE,
        redirects: bool = False,
    ) -> None:
        self._database = database
        self._settings = settings
        self._context = context
        self._keys = keys
        self._storage = storage
        self._promise = promise
        self._redirects = redirects
        self._small = RowCache[bytes](SMALL_BYTES_KEPT)

    async def view(self, caller_account_id: str, registry: Registry, name: RepositoryName, digest: Digest) -> BlobView:
        """The one read of a request for a blob."""
        return await self._database.lookup(
            lambda connection: view_blob(connection, caller_account_id, registry, name, digest)
        )

    def find_small(self, blob: StoredBlob) -> bytes | None:
        """All bytes of a small blob, if they are at hand."""
        return self._small.find(blob.id)

    async def open(self, blob: StoredBlob, start: int = 0, end: int | None = None) -> AsyncIterator[bytes | bytearray]:
        """Yield the bytes `start` to `end` (exclusive; None for all), up to 1 MiB at a time.

        Read on the event loop when the page cache has them, else in a thread. Closing early releases everything.

        Raises:
            BlobDamaged: the bytes are missing, too short or fail their tag; nothing of the bad frame was yielded.
        """
        stop = blob.size_bytes if end is None else min(end, blob.size_bytes)
        location = await self._storage.location(blob)
        reader = self._storage.store.open(location, blob.size_bytes)
        try:
            while start < stop:
                # pieces end where frames end, so that no frame is decrypted twice
                piece_end = min(start - start % blob.frame_bytes + READ_BYTES, stop)
                piece = await self._read(reader, start, piece_end)
                if len(piece) == blob.size_bytes <= SMALL_BYTES:
                    self._small.add(blob.id, bytes(piece), len(piece))
                yield piece
                start = piece_end
        finally:
            reader.close()

    async def redirect(self, blob: StoredBlob) -> str | None:
        """A URL of the store that clients may be sent to for the bytes; None: they come from `open`.

        Raises:
            StorageUnavailable: there are no credentials to sign it with.
        """
        if not self._redirects or blob.format != Format.PLAIN or blob.wrapped_key is not None:
            return None
        return await self._storage.read(
            self._storage.store.presign, Location(blob.storage_key), REDIRECT_SECONDS, REDIRECT_HEADERS
        )

    async def is_pullable(self, view: BlobView) -> bool:
        """Whether a blob that the repository holds may leave it: not when all its images are archived."""
        blob, repository = view.blob, view.repository
        if blob is None or repository is None:
            return False
        if not blob.is_referenced:
            return True  # a push under way, or kept for whoever was told lately that it exists
        return await self._database.lookup(lambda connection: rows.has_active_image(connection, repository.id, blob.id))

    async def check_key(self, view: BlobView) -> None:
        """Check that the key of the repository opens: without it nothing of a blob is given out.

        Raises:
            KeyRefused, KeyProviderAway
        """
        await self._storage.repository_keys.check(view.repository)

    async def promise(self, view: BlobView) -> None:
        """Keep a blob that the caller is told to exist for at least an hour; writes only when less is left.

        Raises:
            BlobNotFound: the collector was faster.
        """
        blob, repository = view.blob, view.repository
        if blob is None or repository is None or blob.is_referenced:
            return
        if to_micros(blob.keep_until) >= self._promise.must_reach(self._context.now_micros()):
            return
        if not await own(self._database).write(lambda connection: self._extend(connection, repository.id, [blob.id])):
            raise BlobNotFound(repository.name, blob.digest)

    async def check_layers(
        self, registry: Registry, name: RepositoryName, digests: Sequence[Digest]
    ) -> list[LayerAvailability]:
        """Which of `digests` the repository holds, in their order; those that it does are kept for an hour.

        Raises:
            RepositoryNotFound
        """
        repository, links = await self._database.read(
            lambda connection: self._find_links(connection, registry, name, digests)
        )
        soon = self._promise.must_reach(self._context.now_micros())
        unsure = {link.blob_id for link in links if link.media_type is None and link.keep_until < soon}
        if unsure:
            kept = await own(self._database).write(
                lambda connection: self._extend(connection, repository.id, sorted(unsure))
            )
            links = [link for link in links if link.blob_id in kept or link.blob_id not in unsure]
        found = {link.digest: LayerAvailability(link.digest, True, link.size_bytes, link.media_type) for link in links}
        return [found.get(digest, LayerAvailability(digest, False)) for digest in digests]

    async def mount(self, registry: Registry, target: RepositoryName, source: RepositoryName, digest: Digest) -> bool:
        """Link a blob of `source` into `target` of the same registry; False when that cannot be, for any reason."""
        if await self._settings.get(registry, Setting.BLOB_MOUNTING) != ENABLED:
            return False
        keys = self._storage.repository_keys

        def change(connection: Connection) -> bool:
            try:
                into = get_repository_key(connection, registry, target, is_locked=True)
                origin = get_repository_key(connection, registry, source, is_locked=False)
            except RepositoryNotFound:
                return False
            if into.domain_id != origin.domain_id:
                return False
            if not rows.find_links(connection, origin.id, origin.domain_id, [digest]):
                return False
            blob_id = rows.hold_blob(connection, origin.domain_id, digest)
            if blob_id is None:
                return False
            link_key = None
            if into.seal is not None:
                link_key = link_key_for(connection, self._context, keys, into.seal, blob_id, origin.id)
                if link_key is None:
                    return False
            now = self._context.now_micros()
            rows.link_blob(connection, into.id, blob_id, now, self._promise.keep_until(now), link_key)
            return True

        try:
            return await keys.with_open(lambda: self._database.write(change))
        except (KeyRefused, KeyProviderAway):
            return False

    async def unlink(self, registry: Registry, name: RepositoryName, digest: Digest) -> None:
        """Have the repository hold a blob no longer; the collector takes the bytes when nobody holds it.

        Raises:
            RepositoryNotFound, BlobNotFound
            BlobReferenced: a manifest of the repository names it.
        """

        def change(connection: Connection) -> None:
            repository = get_repository_key(connection, registry, name, is_locked=True)
            blob_id = rows.hold_link(connection, repository.id, repository.domain_id, digest)
            if blob_id is None:
                raise BlobNotFound(name, digest)
            if rows.is_referenced(connection, repository.id, blob_id):
                raise BlobReferenced(name, digest)
            rows.unlink_blob(connection, repository.id, blob_id)

        await self._database.write(change)

    async def sign_download(
        self, registry: Registry, name: RepositoryName, digest: Digest, endpoint_id: str = ""
    ) -> str:
        """Path and query of a URL for a layer that a manifest of the repository references, good through one endpoint.

        Raises:
            RepositoryNotFound
            KeyRefused, KeyProviderAway: the repository's key cannot be opened.
            LayersNotFound: there is no such layer, or no manifest names it.
        """
        repository, links = await self._database.lookup(
            lambda connection: self._find_links(connection, registry, name, [digest])
        )
        if repository.seal is not None:
            await self._storage.repository_keys.open(repository.seal)
        if not links or links[0].media_type is None:
            raise LayersNotFound(registry, name, [digest])
        expires = int(self._context.now().timestamp()) + DOWNLOAD_URL_LIFETIME_SECONDS
        download = Download(registry, name, digest, expires, endpoint_id)
        return signed_path(download, self._keys.signing_key(DOWNLOAD_PURPOSE))

    def verify_download(
        self, path: str, query: str, now: datetime, endpoint_id: str = ""
    ) -> tuple[Registry, RepositoryName, Digest]:
        """What a download URL is for; repository and link are still to be looked up.

        Raises:
            AccessDenied: not ours, changed, or given through another endpoint than the one it came through.
            TokenExpired: its time is over.
        """
        find_key = lambda key_id: self._keys.verification_key(DOWNLOAD_PURPOSE, key_id)  # noqa: E731
        download = verified_download(path, query, now, find_key, endpoint_id)
        return download.registry, download.repository, download.digest

    async def _read(self, reader: Reader, start: int, end: int) -> bytearray:
        piece = bytearray(end - start)
        if not reader.read_into(start, memoryview(piece), wait=False):
            await self._storage.read(reader.read_into, start, memoryview(piece), wait=True)
        return piece

    def _find_links(
        self, connection: Connection, registry: Registry, name: RepositoryName, digests: Sequence[Digest]
    ) -> tuple[RepositoryKey, list[rows.LinkRow]]:
        repository = get_repository_key(connection, registry, name, is_locked=False)
        return repository, rows.find_links(connection, repository.id, repository.domain_id, digests)

    def _extend(self, connection: Connection, repository_id: int, blob_ids: list[int]) -> set[int]:
        now, promise = self._context.now_micros(), self._promise
        return rows.extend_promise(
            connection, repository_id, blob_ids, promise.must_reach(now), promise.keep_until(now)
        )
