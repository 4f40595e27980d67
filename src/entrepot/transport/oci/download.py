"""Downloads: the layers that GetDownloadUrlForLayer gives URLs for; the signature stands for the caller.

Spec: ECR API, GetDownloadUrlForLayer; security rules, "Output": Authorization is ignored, GET and HEAD, ranges, and
repository and link are looked up again at each use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from entrepot.domain.error import AccessDenied, BlobNotFound, RegistryError, TokenExpired
from entrepot.transport.body import BodyBroken
from entrepot.transport.exchange import Answer, Exchange
from entrepot.transport.oci import answer, error
from entrepot.transport.oci.blob import send_blob

if TYPE_CHECKING:
    from entrepot.service.blob import BlobService
    from entrepot.service.context import Context
    from entrepot.service.vpc.passage import PassageService

log = structlog.get_logger(__name__)

METHODS = ("GET", "HEAD")
FORBIDDEN = 403


class Downloads:
    """GET and HEAD of `/layers/…`."""

    def __init__(self, blobs: BlobService, passages: PassageService, context: Context) -> None:
        self._blobs, self._passages = blobs, passages
        self._context = context

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer one request; never raises but for a broken connection."""
        try:
            return await self._answer(exchange)
        except (BodyBroken, ConnectionError):
            raise
        except (AccessDenied, TokenExpired) as refused:
            words = "The URL has expired" if isinstance(refused, TokenExpired) else "The URL is not valid"
            return answer.from_message(error.body(FORBIDDEN, [{"code": "DENIED", "message": words}]))
        except RegistryError as refused:
            return answer.from_message(error.answer(refused))
        except error.MethodNotAllowed as refused:
            return answer.from_message(error.not_allowed(refused))
        except Exception:
            log.exception("download.failed", request_id=exchange.id, path=exchange.path)
            return answer.from_message(error.unexpected(exchange.id))

    async def _answer(self, exchange: Exchange) -> Answer:
        if exchange.method not in METHODS:
            raise error.MethodNotAllowed(METHODS)
        peer, now = exchange.peer, self._context.now()
        passage = await self._passages.open(peer.gate, peer.address)
        endpoint = passage.endpoint_id if passage else ""
        registry, repository, digest = self._blobs.verify_download(exchange.path, exchange.query, now, endpoint)
        view = await self._blobs.view(registry.account_id, registry, repository, digest)
        if view.blob is None or not await self._blobs.is_pullable(view):
            raise BlobNotFound(repository, digest)
        await self._blobs.check_key(view)
        return await send_blob(exchange, self._blobs, view.blob)
