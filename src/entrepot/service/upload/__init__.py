"""Upload sessions: start, append, complete, cancel, expire.

Invariants: the offset of a row never exceeds what is staged, and survives the death of every process; an append that
is not acknowledged changes nothing; a completed session leaves one blob, an aborted one nothing.

Spec: OCI Distribution 1.1, "Pushing blobs"; ECR API, InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import Connection

from entrepot.domain.digest import Digest, hasher
from entrepot.domain.error import (
    EmptyUpload,
    InvalidLayerPart,
    LayerAlreadyExists,
    LayerPartTooSmall,
    LimitExceeded,
    RangeInvalid,
    SizeInvalid,
    StorageFull,
    TooManyUploads,
    UploadNotFound,
)
from entrepot.domain.limit import (
    LAYER_BYTES_MAX,
    LAYER_PART_BYTES_MAX,
    LAYER_PARTS_MAX,
    UPLOAD_LEASE_SECONDS,
    UPLOAD_LIFETIME_SECONDS,
    UPLOADS_PER_PRINCIPAL_MAX,
)
from entrepot.domain.principal import Principal
from entrepot.domain.promise import DEFAULT_PROMISE, BlobPromise
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.upload import Upload, UploadKind
from entrepot.service.context import Context
from entrepot.service.storage import Storage
from entrepot.service.upload.append import Appender
from entrepot.service.upload.at_once import AtOnce, collect, is_small
from entrepot.service.upload.hashes import LiveHashes
from entrepot.service.upload.intake import Body
from entrepot.service.upload.publish import LastBytes, Publisher
from entrepot.service.upload.row import micros_after, not_found, registry_of
from entrepot.service.upload.sweep import Swept, sweep
from entrepot.store.metadata import upload as rows
from entrepot.store.metadata.base import Database, to_micros
from entrepot.store.metadata.doomed import doom
from entrepot.store.metadata.repository_key import get_repository_key

UPLOAD_ID_LENGTH = 36
_MICROS = 1_000_000


class UploadService:
    """Uploads of every registry of this server."""

    def __init__(
        self, database: Database, context: Context, storage: Storage, *, promise: BlobPromise = DEFAULT_PROMISE
    ) -> None:
        self._database = database
        self._context = context
        self._storage = storage
        self._hashes = LiveHashes()
        self._appender = Appender(database, context, storage, self._hashes)
        self._publisher = Publisher(database, context, storage, promise)
        self._at_once = AtOnce(database, context, storage, promise)

    # ── sessions ─────────────────────────────────────────────────────────────────────────────

    async def start(
        self,
        registry: Registry,
        name: RepositoryName,
        principal: Principal,
        kind: UploadKind,
        algorithm: str = "sha256",
    ) -> Upload:
        """Begin an upload that only the account of `principal` can continue; it ends after a day without progress.

        Raises:
            RepositoryNotFound
            TooManyUploads: the principal has too many open, wherever.
            DigestInvalid: an algorithm that we do not serve.
            StorageFull: free space is below the reserve.
            KeyRefused, KeyProviderAway: the repository's key cannot be opened.
        """
        hasher(algorithm)
        self._storage.store.check_room()
        repository = await self._database.lookup(
            lambda connection: get_repository_key(connection, registry, name, is_locked=False)
        )
        target = await self._storage.new_object(repository.domain_id, repository.seal)
        now, upload_id = self._context.now_micros(), self._context.new_uuid()
        row = rows.NewUpload(
            upload_id,
            repository.id,
            principal.account_id,
            kind.value,
            target.storage_key,
            target.store,
            target.format,
            target.frame_bytes,
            target.wrapped_key,
            target.link_key,
            algorithm,
            now,
            now + UPLOAD_LIFETIME_SECONDS * _MICROS,
            principal.unique_id,
        )

        def change(connection: Connection) -> None:
            if get_repository_key(connection, registry, name, is_locked=True).id != repository.id:
                raise UploadNotFound(registry, name, upload_id)  # deleted and made again: its key would be foreign
            if rows.count_open(connection, row.principal_id, UPLOADS_PER_PRINCIPAL_MAX) >= UPLOADS_PER_PRINCIPAL_MAX:
                raise TooManyUploads(UPLOADS_PER_PRINCIPAL_MAX)
            rows.insert_upload(connection, row)

        # 202 promises to survive processes, not the power.
        await self._database.write(change, is_durable=False, is_short=True)
        return Upload(upload_id, registry, name, kind, 0)

    async def find(self, registry: Registry, name: RepositoryName, account_id: str, upload_id: str) -> Upload:
        """Where an upload stands.

        Raises:
            RepositoryNotFound
            UploadNotFound: no such upload for this repository and account, or acknowledged bytes are gone.
        """
        row = await self._get(registry, name, account_id, upload_id)
        await self._appender.check_whole(row)
        return _to_upload(row, row.offset_bytes)

    async def cancel(self, registry: Registry, name: RepositoryName, account_id: str, upload_id: str) -> None:
        """End an upload and forget its bytes.

        Raises:
            RepositoryNotFound, UploadNotFound
        """
        row = await self._get(registry, name, account_id, upload_id)

        def change(connection: Connection) -> None:
            staging = rows.remove_upload(connection, row.id)
            if staging is None:
                raise not_found(row)
            doom(connection, staging, row.store, micros_after(self._context, UPLOAD_LEASE_SECONDS))

        await self._database.write(change)
        self._hashes.forget(upload_id)

    async def sweep(self, now: datetime | None = None) -> Swept:
        """Remove expired uploads and doomed bytes; safe to run in every worker."""
        moment = self._context.now_micros() if now is None else to_micros(now)
        return await sweep(self._database, self._storage, moment)

    # ── on `/v2/` ────────────────────────────────────────────────────────────────────────────

    async def append(self, upload: Upload, body: Body, start: int | None = None, length: int | None = None) -> Upload:
        """Add a chunk; `start` and `length` are what the request says, None where it says nothing.

        The answer survives the death of the process. When the body breaks off, what came is acknowledged and the
        body's own error raised, so that the client can ask and go on from there.

        Raises:
            RangeInvalid: the upload does not stand at `start`, or another writer was faster.
            SizeInvalid: the body is shorter or longer than `length`, or the layer too large. Nothing is added.
            StorageFull: no room. Nothing is added; the upload can go on later.
            UploadNotFound: it ended.
        """
        row, lease = await self._appender.lease(upload.registry, upload.repository, upload.id, start)
        received = await self._appender.receive(row, lease, body, length)
        return _to_upload(row, await self._appender.acknowledge(row, lease, received))

    async def complete(
        self,
        registry: Registry,
        name: RepositoryName,
        account_id: str,
        upload_id: str,
        digest: Digest,
        body: Body | None = None,
        start: int | None = None,
        length: int | None = None,
    ) -> Digest:
        """Add a last chunk, if there is one, and publish the blob. Durable on return.

        The chunk counts only if the digest is right; else the upload stands where it stood.

        Raises:
            LayerDigestMismatch, LayerPartTooSmall, and as `append` and `find`.
        """
        small = await collect(body, length) if is_small(length) else None
        row = await self._get(registry, name, account_id, upload_id)
        if start is not None and start != row.offset_bytes:
            raise RangeInvalid(upload_id, row.offset_bytes)
        _check_parts(row)
        if small is not None:
            if await self._at_once.publish(row, digest, small):
                return digest
            # The lease is taken for nothing too: it keeps whoever made an object at once from recording it.
            body = _one(small) if small or not row.offset_bytes else None
        last = None
        if body is not None:
            row, lease = await self._appender.lease(registry, name, upload_id, start)
            received = await self._appender.receive(row, lease, body, length)
            is_part = received.size_bytes or not row.offset_bytes
            last = LastBytes(lease, row.offset_bytes, received) if is_part else None
        elif length:
            raise SizeInvalid(f"no bytes came, {length} were announced")
        await self._publish(row, [digest], last)
        return digest

    # ── in the API ───────────────────────────────────────────────────────────────────────────

    async def append_part(
        self,
        registry: Registry,
        name: RepositoryName,
        account_id: str,
        upload_id: str,
        first: int,
        last: int,
        data: bytes,
    ) -> int:
        """Add the bytes `first` to `last`, both inclusive; the last byte received.

        Raises:
            InvalidLayerPart: they do not go on where the upload stands, or are not as many as they say.
            LimitExceeded: more parts than an upload can have.
            RepositoryNotFound, UploadNotFound, StorageFull
        """
        row = await self._get(registry, name, account_id, upload_id)
        is_as_said = 0 < len(data) <= LAYER_PART_BYTES_MAX and last - first + 1 == len(data)
        if first != row.offset_bytes or not is_as_said or last >= LAYER_BYTES_MAX:
            raise InvalidLayerPart(registry, name, upload_id, row.offset_bytes)
        if row.parts >= LAYER_PARTS_MAX:
            raise LimitExceeded(f"An upload can have at most {LAYER_PARTS_MAX} layer parts")
        await self._appender.check_whole(row)
        try:
            row, lease = await self._appender.lease(registry, name, upload_id, first)
            received = await self._appender.receive(row, lease, _one(data), len(data))
            await self._appender.acknowledge(row, lease, received)
        except RangeInvalid as error:
            raise InvalidLayerPart(registry, name, upload_id, error.offset) from error
        return last

    async def complete_layer(
        self, registry: Registry, name: RepositoryName, account_id: str, upload_id: str, digests: list[Digest]
    ) -> Digest:
        """Publish the parts as a layer that has all of `digests`; its digest is the first. Durable on return.

        Raises:
            EmptyUpload: it never received a part.
            LayerPartTooSmall: a part before the last had less than 5 MiB.
            LayerDigestMismatch
            LayerAlreadyExists: the repository held the layer before. The upload has ended.
            RepositoryNotFound, UploadNotFound
        """
        row = await self._get(registry, name, account_id, upload_id)
        if row.offset_bytes == 0:
            raise EmptyUpload
        _check_parts(row)
        if not await self._publish(row, digests):
            raise LayerAlreadyExists(registry, name, digests[0])
        return digests[0]

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    async def _publish(self, row: rows.UploadRow, digests: list[Digest], last: LastBytes | None = None) -> bool:
        """As the publisher's; where the disk failed, what is staged is looked at again before it is counted on."""
        try:
            is_new = await self._publisher.publish(row, digests, last)
        except (OSError, StorageFull):
            self._hashes.forget(row.id)
            raise
        self._hashes.forget(row.id)
        return is_new

    async def _get(self, registry: Registry, name: RepositoryName, account_id: str, upload_id: str) -> rows.UploadRow:
        row = None
        if len(upload_id) == UPLOAD_ID_LENGTH:
            row = await self._database.lookup(lambda connection: rows.find_upload(connection, upload_id))
        owner = (registry.account_id, registry.region, name, account_id)
        if row is not None and (row.registry_account_id, row.region, row.repository, row.account_id) == owner:
            return row
        await self._database.lookup(lambda connection: get_repository_key(connection, registry, name, is_locked=False))
        raise UploadNotFound(registry, name, upload_id)


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _check_parts(row: rows.UploadRow) -> None:
    if row.kind == UploadKind.ECR and row.has_short_part:
        raise LayerPartTooSmall


def _to_upload(row: rows.UploadRow, offset: int) -> Upload:
    return Upload(row.id, registry_of(row), RepositoryName(row.repository), UploadKind(row.kind), offset)
