"""Manifests on `/v2/`: look up, pull, push, delete, by image tag or digest.

Spec: OCI Distribution 1.1, "Pulling manifests", "Pushing Manifests", "Deleting Manifests" and "Deleting tags".
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp.web import Response, StreamResponse

from entrepot.domain.digest import Digest
from entrepot.domain.error import ImageNotFound, ManifestTooLarge, QueryTooLong
from entrepot.domain.image import ImageStatus
from entrepot.domain.limit import IMAGE_TAGS_PER_PUSH_MAX, MANIFEST_BYTES_MAX
from entrepot.domain.media_type import accepts
from entrepot.domain.reference import ImageId, Reference, Tag, parse_reference
from entrepot.domain.repository import parse_repository_name
from entrepot.domain.view import ImageRow, ImageView
from entrepot.transport.exchange import Answer
from entrepot.transport.message import BodyTooLarge, HttpResponse
from entrepot.transport.oci import answer
from entrepot.transport.stream import WHOLE_BYTES_MAX, send_bytes

if TYPE_CHECKING:
    from entrepot.service.image import ImageService
    from entrepot.transport.oci.access import Access, Call

READ = "ecr:BatchGetImage"
WRITE = "ecr:PutImage"
DELETE = "ecr:BatchDeleteImage"


class ManifestHandlers:
    """GET, HEAD, PUT and DELETE of `/v2/<name>/manifests/<reference>`."""

    def __init__(self, access: Access, images: ImageService) -> None:
        self._access = access
        self._images = images

    async def get(self, call: Call, name: str, reference: str) -> Answer:
        """Headers, and the bytes when the method is GET."""
        repository, wanted = parse_repository_name(name), parse_reference(reference)
        call.name_tags(wanted)
        view = await self._access.look_inside(
            call, repository, (READ,), lambda: self._images.view(call.account_id, call.registry, repository, wanted)
        )
        row = _found(view, call, repository, wanted)
        headers = _headers(row.digest, row.media_type, row.size_bytes)
        if answer.is_unchanged(call.exchange.headers.get("If-None-Match"), row.digest):
            return Response(status=304, headers={k: v for k, v in headers.items() if k != "Content-Length"})
        if call.exchange.method == "HEAD":
            return HttpResponse(200, headers)
        raw = (await self._images.load(row)).raw
        if len(raw) <= WHOLE_BYTES_MAX:
            return HttpResponse(200, headers, raw)
        return await send_bytes(call.exchange, 200, headers, raw)

    async def put(self, call: Call, name: str, reference: str) -> StreamResponse:
        """Push a manifest; a push by digest may name image tags in its query."""
        repository, wanted = parse_repository_name(name), parse_reference(reference)
        digest = wanted if isinstance(wanted, Digest) else None
        tags = [wanted] if isinstance(wanted, Tag) else _tags_beside(call)
        call.name_tags(*tags)
        await self._access.repository(call, repository, WRITE)
        raw = await _read(call)
        pushed = await self._images.put(
            call.registry,
            repository,
            raw,
            declared_type=call.exchange.headers.get("Content-Type"),
            tags=tags,
            digest=digest,
            is_idempotent=True,
        )
        manifest = pushed.manifest
        headers = {
            "Location": answer.manifest_path(repository, manifest.digest),
            "Docker-Content-Digest": str(manifest.digest),
        }
        if manifest.subject is not None:
            headers["OCI-Subject"] = str(manifest.subject.digest)
        if digest is not None and tags:
            headers["OCI-Tag"] = ", ".join(tag.name for tag in tags)
        return answer.empty(201, headers)

    async def delete(self, call: Call, name: str, reference: str) -> StreamResponse:
        """Remove a tag, or an image with its tags."""
        repository, wanted = parse_repository_name(name), parse_reference(reference)
        call.name_tags(wanted)
        await self._access.repository(call, repository, DELETE)
        await self._images.delete(call.registry, repository, wanted)
        return answer.empty(202, {})


def _tags_beside(call: Call) -> list[Tag]:
    """The image tags that the query of a push by digest names, each once."""
    names = call.query.get("tag", [])
    if len(names) > IMAGE_TAGS_PER_PUSH_MAX:
        raise QueryTooLong(f"More than {IMAGE_TAGS_PER_PUSH_MAX} image tags beside one manifest")
    return [Tag.parse(name) for name in dict.fromkeys(names)]


async def _read(call: Call) -> bytes:
    try:
        return await call.exchange.body.read(MANIFEST_BYTES_MAX)
    except BodyTooLarge as error:
        raise ManifestTooLarge(MANIFEST_BYTES_MAX) from error


def _found(view: ImageView, call: Call, repository: str, wanted: Reference) -> ImageRow:
    row = view.image
    if (
        row is None
        or row.status is not ImageStatus.ACTIVE
        or not _is_accepted("\n".join(call.exchange.headers.getall("Accept", ())), row.media_type)
    ):
        named = ImageId(digest=wanted) if isinstance(wanted, Digest) else ImageId(tag=wanted)
        raise ImageNotFound(call.registry, repository, named)
    return row


@lru_cache(maxsize=512)
def _is_accepted(lines: str, media_type: str) -> bool:
    """Whether the Accept header, in one or several lines, takes a media type. Clients send few different ones."""
    entries = [entry for entry in lines.replace("\n", ",").split(",") if entry.strip()]
    return accepts(entries, media_type)


def _headers(digest: Digest, media_type: str, size_bytes: int) -> dict[str, str]:
    return {
        **answer.BASE,
        "Content-Type": media_type,
        "Content-Length": str(size_bytes),
        "Docker-Content-Digest": str(digest),
        "ETag": answer.etag(digest),
    }
