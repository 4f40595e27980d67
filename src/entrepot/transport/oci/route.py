"""The data plane: a path under `/v2/` becomes a handler, and whatever it raises becomes an OCI error.

    /v2/                                        is the token good
    /v2/_catalog                                names of repositories
    /v2/<name>/manifests/<tag or digest>
    /v2/<name>/blobs/<digest>
    /v2/<name>/blobs/uploads/[<upload>]
    /v2/<name>/tags/list
    /v2/<name>/referrers/<digest>

A name may itself hold `blobs` or `manifests`, so paths are read from the right.

Spec: OCI Distribution 1.1, "Endpoints".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
from aiohttp.web import Response

from entrepot.domain.error import MissingAuthentication, RegistryError, Unauthenticated
from entrepot.transport.body import BodyBroken
from entrepot.transport.exchange import Answer, Exchange, NotQuick
from entrepot.transport.oci import answer, error
from entrepot.transport.oci.access import Access, Call, challenge_of
from entrepot.transport.oci.blob import BlobHandlers
from entrepot.transport.oci.catalog import CatalogHandlers
from entrepot.transport.oci.manifest import ManifestHandlers
from entrepot.transport.oci.referrer import ReferrerHandlers
from entrepot.transport.oci.tag import TagHandlers
from entrepot.transport.oci.upload import UploadHandlers

if TYPE_CHECKING:
    from entrepot.auth.authorize import Authorizer
    from entrepot.auth.failed_login import FailedLogins
    from entrepot.service.services import Services

log = structlog.get_logger(__name__)

Handler = Callable[[Call, str, str], Awaitable[Answer]]
"""Called with the repository name and the reference as they stand in the path, both unchecked."""

PREFIX = "/v2/"


class OciPlane:
    """Answers requests under `/v2/`."""

    def __init__(self, services: Services, authorizer: Authorizer, failed_logins: FailedLogins) -> None:
        self._access = Access(services, authorizer, failed_logins)
        self._table = routes(services, self._access)

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer one request; never raises but for a broken connection or an attempt that must wait."""
        try:
            return await self._answer(exchange)
        except (BodyBroken, ConnectionError, NotQuick):
            raise
        except Exception as raised:  # noqa: BLE001 (the border of this plane: nothing gets past it unanswered)
            return _refusal(exchange, raised)

    async def _answer(self, exchange: Exchange) -> Answer:
        call = await self._access.open(exchange)
        kind, name, reference = parse_path(exchange.path)
        methods = self._table[kind]
        if (handler := methods.get(exchange.method)) is None:
            raise error.MethodNotAllowed(tuple(methods))
        return await handler(call, name, reference)


def routes(services: Services, access: Access) -> dict[str, dict[str, Handler]]:
    """Kind of path → method → handler."""
    blob = BlobHandlers(access, services.blob)
    catalog = CatalogHandlers(access, services.repository)
    manifest = ManifestHandlers(access, services.image)
    referrer = ReferrerHandlers(access, services.referrer)
    tag = TagHandlers(access, services.image)
    upload = UploadHandlers(access, services.upload, services.blob)
    return {
        "base": {"GET": catalog.base, "HEAD": catalog.base},
        "catalog": {"GET": catalog.list, "HEAD": catalog.list},
        "manifest": {"GET": manifest.get, "HEAD": manifest.get, "PUT": manifest.put, "DELETE": manifest.delete},
        "blob": {"GET": blob.get, "HEAD": blob.get, "DELETE": blob.delete},
        "uploads": {"POST": upload.start},
        "upload": {
            "GET": upload.status,
            "HEAD": upload.status,
            "PATCH": upload.append,
            "PUT": upload.complete,
            "DELETE": upload.cancel,
        },
        "tags": {"GET": tag.list, "HEAD": tag.list},
        "referrers": {"GET": referrer.list, "HEAD": referrer.list},
    }


def parse_path(path: str) -> tuple[str, str, str]:
    """A raw path as kind, repository name and decoded reference.

    Raises:
        RouteUnknown: no such path.
    """
    rest = path[len(PREFIX) :]
    if not rest:
        return "base", "", ""
    if rest == "_catalog":
        return "catalog", "", ""
    head, _, reference = rest.rpartition("/")
    name, _, noun = head.rpartition("/")
    if noun == "uploads" and name.endswith("/blobs"):
        return ("upload" if reference else "uploads"), name.removesuffix("/blobs"), unquote(reference)
    if noun == "blobs" and reference == "uploads":
        return "uploads", name, ""
    if noun == "tags" and reference == "list":
        return "tags", name, ""
    kind = _BY_NOUN.get(noun)
    if kind is None or not name or not reference:
        raise error.RouteUnknown(path)
    return kind, name, unquote(reference)


_BY_NOUN = {"manifests": "manifest", "blobs": "blob", "referrers": "referrers"}


def _refusal(exchange: Exchange, raised: Exception) -> Response:
    if isinstance(raised, MissingAuthentication):
        headers = {**answer.BASE, "WWW-Authenticate": challenge_of(exchange)}
        return Response(status=401, headers=headers, text="Not Authorized\n")
    if isinstance(raised, RegistryError):
        response = answer.from_message(error.answer(raised))
        if isinstance(raised, Unauthenticated):
            response.headers["WWW-Authenticate"] = challenge_of(exchange)
        return response
    if isinstance(raised, error.MethodNotAllowed):
        return answer.from_message(error.not_allowed(raised))
    if isinstance(raised, error.RouteUnknown):
        return answer.from_message(error.no_route())
    log.error("oci.failed", request_id=exchange.id, method=exchange.method, path=exchange.path, exc_info=raised)
    return answer.from_message(error.unexpected(exchange.id))
