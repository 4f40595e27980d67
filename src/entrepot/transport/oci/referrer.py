"""Referrers on `/v2/`: the manifests whose subject is another.

Spec: OCI Distribution 1.1, "Listing Referrers".
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from aiohttp.web import StreamResponse

from entrepot.domain.digest import Digest
from entrepot.domain.error import InvalidParameter, RepositoryNotFound
from entrepot.domain.image import ImageStatus, Referrer
from entrepot.domain.media_type import OCI_INDEX
from entrepot.domain.page import Key, Page, PageRequest
from entrepot.domain.repository import parse_repository_name
from entrepot.transport.oci import answer, paging

if TYPE_CHECKING:
    from entrepot.service.referrer import ReferrerService
    from entrepot.transport.oci.access import Access, Call

LIST = "ecr:BatchGetImage"


class ReferrerHandlers:
    """GET of `/v2/<name>/referrers/<digest>`."""

    def __init__(self, access: Access, referrers: ReferrerService) -> None:
        self._access = access
        self._referrers = referrers

    async def list(self, call: Call, name: str, reference: str) -> StreamResponse:
        """An index of the referrers, empty when there are none, whether subject and repository exist or not.

        A 404 would tell clients that there is no such API, and they would write a list of their own under a tag.
        """
        repository, subject = parse_repository_name(name), Digest.parse(reference)
        kinds = _artifact_types(call)
        size, after = paging.page_size(call), _read_key(call.one("next"))
        request = PageRequest(max(1, size), after)
        try:
            await self._access.repository(call, repository, LIST)
            page = await self._referrers.list(
                call.registry, repository, subject, kinds or None, ImageStatus.ACTIVE, request
            )
        except RepositoryNotFound:
            page = Page([], None)
        headers = {"OCI-Filters-Applied": "artifactType"} if kinds else {}
        if page.next_key:
            fields: dict[str, str | list[str]] = {
                "n": str(size),
                "artifactType": kinds,
                "next": _write_key(page.next_key),
            }
            headers |= answer.next_link(call.exchange.path, fields)
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [_descriptor(referrer) for referrer in page.items],
        }
        return answer.document(index, headers, OCI_INDEX)


def _artifact_types(call: Call) -> list[str]:
    """The artifact types that the query asks for; none asks for all.

    A media type has no spaces: clients that do not encode the + of its suffix mean one.

    Raises:
        InvalidParameter: characters that no media type has, and PostgreSQL does not take.
    """
    kinds = [kind.replace(" ", "+") for kind in call.query.get("artifactType", ()) if kind]
    if not all(kind.isprintable() for kind in kinds):
        raise InvalidParameter("artifactType", "is no media type")
    return kinds


def _descriptor(referrer: Referrer) -> dict[str, Any]:
    described: dict[str, Any] = {
        "mediaType": referrer.media_type,
        "digest": str(referrer.digest),
        "size": referrer.size_bytes,
    }
    if referrer.artifact_type:
        described["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        described["annotations"] = referrer.annotations
    return described


def _write_key(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read_key(text: str | None) -> Key | None:
    """The key of a Link that we made; anyone may make one up, it only says where to go on."""
    if not text:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidParameter("next", "is not from a Link of ours") from error
    if not isinstance(key, list) or len(key) != 1 or type(key[0]) is not int or not 0 <= key[0] < 2**63:
        raise InvalidParameter("next", "is not from a Link of ours")
    return (key[0],)
