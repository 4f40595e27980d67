"""The catalog on `/v2/`: names of repositories, and the check whether a token works.

Spec: OCI Distribution 1.1, "Determining Support"; Docker Registry HTTP API V2, "Catalog".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.web import StreamResponse

from entrepot.domain.page import PageRequest
from entrepot.transport.oci import answer, paging

if TYPE_CHECKING:
    from entrepot.service.repository import RepositoryService
    from entrepot.transport.oci.access import Access, Call

LIST = "ecr:DescribeRepositories"


class CatalogHandlers:
    """GET of `/v2/` and `/v2/_catalog`."""

    def __init__(self, access: Access, repositories: RepositoryService) -> None:
        self._access = access
        self._repositories = repositories

    async def base(self, call: Call, _: str, __: str) -> StreamResponse:
        """The token works: `{}`."""
        await self._access.confirm(call, await self._access.epoch(call))
        return answer.document({})

    async def list(self, call: Call, _: str, __: str) -> StreamResponse:
        """`{"repositories": ["a", "b"]}`, with a Link while more follow."""
        size, last = paging.page_size(call), paging.last_item(call)
        await self._access.permit(call, await self._access.epoch(call), LIST, "*")
        if size == 0:
            return answer.document({"repositories": []})
        page = await self._repositories.describe(call.registry, None, PageRequest(size, (last,) if last else None))
        names = [repository.name for repository in page.items]
        link = answer.next_link(call.exchange.path, {"n": str(size), "last": names[-1]}) if page.next_key else {}
        return answer.document({"repositories": names}, link)
