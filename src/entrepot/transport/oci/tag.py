"""Image tags on `/v2/`: the list.

Spec: OCI Distribution 1.1, "Listing Tags".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.web import StreamResponse

from entrepot.domain.page import PageRequest
from entrepot.domain.repository import parse_repository_name
from entrepot.transport.oci import answer, paging

if TYPE_CHECKING:
    from entrepot.service.image import ImageService
    from entrepot.transport.oci.access import Access, Call

LIST = "ecr:ListImages"


class TagHandlers:
    """GET of `/v2/<name>/tags/list`."""

    def __init__(self, access: Access, images: ImageService) -> None:
        self._access = access
        self._images = images

    async def list(self, call: Call, name: str, _: str) -> StreamResponse:
        """`{"name": "app", "tags": ["1.0", "latest"]}`, with a Link while more follow."""
        repository = parse_repository_name(name)
        size, last = paging.page_size(call), paging.last_item(call)
        await self._access.repository(call, repository, LIST)
        if size == 0:
            return answer.document({"name": repository, "tags": []})
        after = None if last is None else (last.lower(), last)
        page = await self._images.list_tags(call.registry, repository, PageRequest(size, after))
        names = [tag.name for tag in page.items]
        link = answer.next_link(call.exchange.path, {"n": str(size), "last": names[-1]}) if page.next_key else {}
        return answer.document({"name": repository, "tags": names}, link)
