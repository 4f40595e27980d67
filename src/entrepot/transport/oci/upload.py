"""Uploads on `/v2/`: start, mount, append, ask, complete, cancel.

Spec: OCI Distribution 1.1, "Pushing Blobs" and "Mounting a blob from another repository"; design, "When ECR and OCI
disagree" (202 after PATCH, any chunk size, `last byte` in Range).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp.web import StreamResponse

from entrepot.domain.digest import HEX_LENGTH, Digest
from entrepot.domain.error import (
    AccessDenied,
    DigestInvalid,
    NameInvalid,
    RangeInvalid,
    RegistryError,
    SizeInvalid,
)
from entrepot.domain.repository import RepositoryName, parse_repository_name
from entrepot.domain.upload import Upload, UploadKind
from entrepot.transport.oci import answer, byte_range, error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from entrepot.service.blob import BlobService
    from entrepot.service.upload import UploadService
    from entrepot.transport.oci.access import Access, Call

START = "ecr:InitiateLayerUpload"
APPEND = "ecr:UploadLayerPart"
COMPLETE = "ecr:CompleteLayerUpload"
PUBLISH = (APPEND, COMPLETE)
"""What makes a blob of a repository beside START, whether its bytes come along or are there already."""
MOUNT_SOURCE = "ecr:GetDownloadUrlForLayer"


class UploadHandlers:
    """POST of `/v2/<name>/blobs/uploads/`; GET, PATCH, PUT and DELETE of an upload below it."""

    def __init__(self, access: Access, uploads: UploadService, blobs: BlobService) -> None:
        self._access = access
        self._uploads = uploads
        self._blobs = blobs

    async def start(self, call: Call, name: str, _: str) -> StreamResponse:
        """Mount, take a whole blob, or begin a session."""
        repository = parse_repository_name(name)
        mounted, whole = _digest(call, "mount"), _digest(call, "digest")
        algorithm = _algorithm(call)
        epoch = await self._access.repository(call, repository, START)
        source = call.one("from")
        if mounted and source and await self._mount(call, epoch, repository, source, mounted):
            return _created(repository, mounted)
        if whole and not mounted:
            return await self._take_whole(call, epoch, repository, whole)
        upload = await self._uploads.start(
            call.registry, repository, call.principal, UploadKind.OCI, (mounted.algorithm if mounted else algorithm)
        )
        return _progress(202, upload)

    async def append(self, call: Call, name: str, upload_id: str) -> StreamResponse:
        """Add a chunk, with or without a range and a length."""
        repository = parse_repository_name(name)
        await self._access.repository(call, repository, APPEND)
        upload = await self._uploads.find(call.registry, repository, call.account_id, upload_id)
        try:
            start, length = _chunk(call, upload)
            upload = await self._uploads.append(upload, call.exchange.body.chunks(), start, length)
        except RangeInvalid as refused:
            return await self._refuse_range(call, repository, refused)
        return _progress(202, upload)

    async def status(self, call: Call, name: str, upload_id: str) -> StreamResponse:
        """Tell where a session stands."""
        repository = parse_repository_name(name)
        await self._access.repository(call, repository, APPEND)
        upload = await self._uploads.find(call.registry, repository, call.account_id, upload_id)
        return _progress(204, upload)

    async def complete(self, call: Call, name: str, upload_id: str) -> StreamResponse:
        """Add a last chunk, if there is one, and publish the blob."""
        repository = parse_repository_name(name)
        digest = _digest(call, "digest")
        if digest is None:
            raise DigestInvalid("")
        epoch = await self._access.repository(call, repository, COMPLETE)
        body = call.exchange.body
        has_bytes = body.length != 0
        if has_bytes:
            await self._access.permit(call, epoch, APPEND, repository)
        upload = await self._uploads.find(call.registry, repository, call.account_id, upload_id)
        try:
            start, length = _chunk(call, upload)
            await self._uploads.complete(
                call.registry,
                repository,
                call.account_id,
                upload_id,
                digest,
                body.chunks() if has_bytes else None,
                start,
                length,
            )
        except RangeInvalid as refused:
            return await self._refuse_range(call, repository, refused)
        return _created(repository, digest)

    async def cancel(self, call: Call, name: str, upload_id: str) -> StreamResponse:
        """End a session and forget its bytes."""
        repository = parse_repository_name(name)
        await self._access.repository(call, repository, APPEND)
        await self._uploads.cancel(call.registry, repository, call.account_id, upload_id)
        return answer.empty(204, {})

    async def _mount(self, call: Call, epoch: int | None, target: RepositoryName, source: str, digest: Digest) -> bool:
        """Whether the blob is linked now; missing, forbidden and malformed sources are all the same False.

        It takes what uploading it would take, and what reading it from the source does.
        """
        try:
            named = parse_repository_name(source)
            for action in PUBLISH:
                await self._access.permit(call, epoch, action, target)
            await self._access.permit(call, epoch, MOUNT_SOURCE, named)
        except (NameInvalid, AccessDenied):
            return False
        return await self._blobs.mount(call.registry, target, named, digest)

    async def _take_whole(
        self, call: Call, epoch: int | None, repository: RepositoryName, digest: Digest
    ) -> StreamResponse:
        for action in PUBLISH:
            await self._access.permit(call, epoch, action, repository)
        registry, account_id, body = call.registry, call.account_id, call.exchange.body
        upload = await self._uploads.start(registry, repository, call.principal, UploadKind.OCI, digest.algorithm)
        try:
            await self._uploads.complete(
                registry, repository, account_id, upload.id, digest, _bytes(call), None, body.length
            )
        except Exception:
            # Nobody was told its id: it would only count among the caller's open uploads until it expires.
            with suppress(RegistryError):
                await self._uploads.cancel(registry, repository, account_id, upload.id)
            raise
        return _created(repository, digest)

    async def _refuse_range(self, call: Call, repository: RepositoryName, refused: RangeInvalid) -> StreamResponse:
        upload = Upload(refused.upload_id, call.registry, repository, UploadKind.OCI, refused.offset)
        response = answer.from_message(error.answer(refused))
        response.headers.update(_position(upload))
        return response


def _bytes(call: Call) -> AsyncIterator[bytes] | None:
    body = call.exchange.body
    return body.chunks() if body.length != 0 else None


def _digest(call: Call, field: str) -> Digest | None:
    text = call.one(field)
    return None if text is None else Digest.parse(text)


def _algorithm(call: Call) -> str:
    algorithm = call.one("digest-algorithm") or "sha256"
    if algorithm not in HEX_LENGTH:
        raise DigestInvalid(algorithm)
    return algorithm


def _chunk(call: Call, upload: Upload) -> tuple[int | None, int | None]:
    """Where the chunk starts and how many bytes it has, as far as the request says."""
    length = call.exchange.body.length
    header = call.exchange.headers.get("Content-Range")
    if header is None:
        return None, length
    span = byte_range.chunk(header)
    if span is None and length == 0:
        return None, length  # some clients describe the nothing that they send at the end
    if span is None or span.start != upload.offset:
        raise RangeInvalid(upload.id, upload.offset)
    if length is not None and length != span.length:
        raise SizeInvalid(f"Content-Range names {span.length} bytes, Content-Length {length}")
    return span.start, span.length


def _position(upload: Upload) -> dict[str, str]:
    return {
        "Location": f"/v2/{upload.repository}/blobs/uploads/{upload.id}",
        "Range": f"0-{max(0, upload.offset - 1)}",
        "Docker-Upload-UUID": upload.id,
    }


def _progress(status: int, upload: Upload) -> StreamResponse:
    return answer.empty(status, _position(upload))


def _created(repository: RepositoryName, digest: Digest) -> StreamResponse:
    return answer.empty(201, {"Location": answer.blob_path(repository, digest), "Docker-Content-Digest": str(digest)})
