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

from entrepot.auth.docker_login import bearer_challenge, challenge
from entrepot.domain.error import MissingAuthentication, NameInvalid, Unauthenticated
from entrepot.domain.repository import parse_repository_name
from entrepot.transport.body import BodyBroken
from entrepot.transport.exchange import Answer, Exchange, NotQuick
from entrepot.transport.oci import error
from entrepot.transport.oci.access import Access, Call
from entrepot.transport.oci.blob import BlobHandlers
from entrepot.transport.oci.catalog import CatalogHandlers
from entrepot.transport.oci.manifest import ManifestHandlers
from entrepot.transport.oci.referrer import ReferrerHandlers
from entrepot.transport.oci.refusal import refusal
from entrepot.transport.oci.tag import TagHandlers
from entrepot.transport.oci.upload import UploadHandlers

if TYPE_CHECKING:
    from entrepot.domain.bearer_host import BearerHosts
    from entrepot.service.services import Services

Handler = Callable[[Call, str, str], Awaitable[Answer]]
"""Called with the repository name and the reference as they stand in the path, both unchecked."""

PREFIX = "/v2/"

_OPEN_TO_ALL = {(kind, method) for kind in ("manifest", "blob") for method in ("GET", "HEAD")}
"""What somebody of whom nothing is known may ask at all."""


class OciPlane:
    """Answers requests under `/v2/`."""

    def __init__(self, services: Services, access: Access, bearer_hosts: BearerHosts) -> None:
        self._access, self._bearer_hosts = access, bearer_hosts
        self._table = routes(services, access)

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer one request; never raises but for a broken connection or an attempt that must wait."""
        try:
            return await self._answer(exchange)
        except (BodyBroken, ConnectionError, NotQuick):
            raise
        except Exception as raised:  # noqa: BLE001 (the border of this plane: nothing gets past it unanswered)
            return refusal(exchange, raised, self._challenge_of)

    async def _answer(self, exchange: Exchange) -> Answer:
        call = await self._access.open(exchange)
        kind, name, reference = parse_path(exchange.path)
        if call.login is None and (kind, exchange.method) not in _OPEN_TO_ALL:
            raise MissingAuthentication
        methods = self._table[kind]
        if (handler := methods.get(exchange.method)) is None:
            raise error.MethodNotAllowed(tuple(methods))
        return await handler(call, name, reference)

    def _challenge_of(self, exchange: Exchange, raised: Unauthenticated) -> str:
        """The WWW-Authenticate header that fits this request's listener and host, and what it was about."""
        is_secure = exchange.peer.is_secure
        if self._bearer_hosts.registry_of(exchange.host) is None:
            return challenge(exchange.host, is_secure)
        about = {"scope": scope} if (scope := _scope(exchange)) else {}
        if "Authorization" in exchange.headers:
            about["error"] = "insufficient_scope" if isinstance(raised, MissingAuthentication) else "invalid_token"
        return bearer_challenge(exchange.host, is_secure, **about)


def _scope(exchange: Exchange) -> str | None:
    """What a token would be needed for, if that can be said."""
    try:
        kind, name, _ = parse_path(exchange.path)
        if kind == "catalog":
            return "registry:catalog:*"
        action = "pull" if exchange.method in ("GET", "HEAD") and kind != "upload" else "pull,push"
        return f"repository:{parse_repository_name(name)}:{action}"
    except (error.RouteUnknown, NameInvalid):
        return None


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
