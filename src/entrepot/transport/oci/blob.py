"""Blobs on `/v2/`: look up, download with ranges, delete.

Spec: OCI Distribution 1.1, "Pulling blobs" and "Deleting Blobs"; RFC 9110, section 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.domain.blob import StoredBlob
from entrepot.domain.digest import Digest
from entrepot.domain.error import BlobNotFound
from entrepot.domain.repository import parse_repository_name
from entrepot.transport import stream
from entrepot.transport.exchange import Answer, Exchange
from entrepot.transport.message import HttpResponse
from entrepot.transport.oci import answer, byte_range

if TYPE_CHECKING:
    from entrepot.service.blob import BlobService
    from entrepot.transport.oci.access import Access, Call

READ = "ecr:GetDownloadUrlForLayer"
CHECK = "ecr:BatchCheckLayerAvailability"
"""What a push has instead of READ: AWS's policy for pushing holds this one only."""
DELETE = "ecr:BatchDeleteImage"

SANDBOX = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox",
    "Accept-Ranges": "bytes",
}
"""Bytes that somebody pushed never act as a page of ours. Spec: security rules, "Output"."""


class BlobHandlers:
    """GET, HEAD and DELETE of `/v2/<name>/blobs/<digest>`."""

    def __init__(self, access: Access, blobs: BlobService) -> None:
        self._access = access
        self._blobs = blobs

    async def get(self, call: Call, name: str, reference: str) -> Answer:
        """Headers, and the bytes when the method is GET."""
        repository, digest = parse_repository_name(name), Digest.parse(reference)
        actions = (CHECK, READ) if call.exchange.method == "HEAD" else (READ,)
        view = await self._access.look_inside(
            call, repository, actions, lambda: self._blobs.view(call.account_id, call.registry, repository, digest)
        )
        if view.blob is None or (call.login is None and not view.blob.is_referenced):
            raise BlobNotFound(repository, digest)  # nobody known keeps alive what no image has
        await self._blobs.promise(view)
        return await send_blob(call.exchange, self._blobs, view.blob)

    async def delete(self, call: Call, name: str, reference: str) -> Answer:
        """Remove the repository's link to the blob."""
        repository, digest = parse_repository_name(name), Digest.parse(reference)
        await self._access.repository(call, repository, DELETE)
        await self._blobs.unlink(call.registry, repository, digest)
        return answer.empty(202, {})


async def send_blob(exchange: Exchange, blobs: BlobService, blob: StoredBlob) -> Answer:
    """Answer GET or HEAD with a blob or the range of it that is asked for."""
    headers = {**answer.BASE, **SANDBOX, "Docker-Content-Digest": str(blob.digest), "ETag": answer.etag(blob.digest)}
    if answer.is_unchanged(exchange.headers.get("If-None-Match"), blob.digest):
        return answer.empty(304, headers)
    if exchange.method == "HEAD":
        return answer.empty(200, {**headers, "Content-Length": str(blob.size_bytes)})
    # Who came through a private endpoint may have no other way.
    if exchange.peer.gate is None and (location := await blobs.redirect(blob)) is not None:
        return answer.empty(307, {"Location": location, "Cache-Control": "no-store"})
    return await _send_bytes(exchange, blobs, blob, headers)


async def _send_bytes(exchange: Exchange, blobs: BlobService, blob: StoredBlob, headers: dict[str, str]) -> Answer:
    try:
        span = byte_range.requested(_range_header(exchange, blob.digest), blob.size_bytes)
    except byte_range.Unsatisfiable:
        return answer.empty(416, {**headers, "Content-Range": f"bytes */{blob.size_bytes}"})
    if span is None:
        headers["Content-Length"] = str(blob.size_bytes)
        small = blobs.find_small(blob)
        if small is not None:
            return HttpResponse(200, headers, small)
        return await stream.send(exchange, 200, headers, blob.size_bytes, blobs.open(blob))
    headers["Content-Length"] = str(span.length)
    headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{blob.size_bytes}"
    return await stream.send(exchange, 206, headers, span.length, blobs.open(blob, span.start, span.end))


def _range_header(exchange: Exchange, digest: Digest) -> str | None:
    condition = exchange.headers.get("If-Range")
    return exchange.headers.get("Range") if condition in (None, answer.etag(digest)) else None
