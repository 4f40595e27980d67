"""Issuers: the keys that an OpenID Connect provider publishes, asked for rarely and kept.

Spec: OpenID Connect Discovery 1.0, "Obtaining OpenID Provider Configuration Information"; RFC 7517 (JWK).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog

from entrepot.domain.iam_error import IssuerNotReached
from entrepot.domain.json_document import DocumentInvalid, parse_document
from entrepot.domain.web_identity import KEY_SET_BYTES_MAX, Provider
from entrepot.remote.outbound import Fetched, OutboundError

KEPT_SECONDS: Final = 3_600.0
"""How long published keys are believed to be all there are."""
AGAIN_SECONDS: Final = 60.0
"""An issuer is asked at most once in this time, whatever keys tokens name, and also when it does not answer."""
ISSUERS_MAX: Final = 200
"""Issuers whose keys are kept: 50 MiB at most; those that were needed longest ago are forgotten."""
_OK: Final = 200

_log = structlog.get_logger(__name__)


class Fetch(Protocol):
    """What is needed of the outbound client."""

    async def get(self, url: str, *, bytes_max: int, ca: str | None = None) -> Fetched:
        """Fetch a URL.

        Raises:
            OutboundError.
        """


@dataclass(slots=True)
class _Published:
    """What one issuer said last."""

    keys: bytes | None = None
    asked_at: float = float("-inf")
    error: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Issuers:
    """Key sets of issuers, for one worker. Times are seconds of a clock that never goes back."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch, self._monotonic = fetch, monotonic
        self._published: OrderedDict[tuple[str, str | None], _Published] = OrderedDict()

    async def keys(self, provider: Provider, *, anew: bool = False) -> bytes:
        """The key set of a provider as it was published; `anew` when one of its keys seems to be missing.

        Raises:
            IssuerNotReached: there is none, and it was not long ago that we asked.
        """
        known = self._known(provider)
        async with known.lock:
            age = self._monotonic() - known.asked_at
            if age >= (AGAIN_SECONDS if anew or known.keys is None else KEPT_SECONDS):
                await self._ask(provider, known)
        if known.keys is None:
            raise IssuerNotReached(known.error)
        return known.keys

    def _known(self, provider: Provider) -> _Published:
        place = (provider.issuer, provider.ca)
        known = self._published.setdefault(place, _Published())
        self._published.move_to_end(place)
        while len(self._published) > ISSUERS_MAX:
            self._published.popitem(last=False)
        return known

    async def _ask(self, provider: Provider, known: _Published) -> None:
        """Fetch the keys; where that fails, those of before stay."""
        known.asked_at = self._monotonic()
        try:
            known.keys = await self._keys_of(provider)
        except (OutboundError, IssuerNotReached) as error:
            known.error = error.detail if isinstance(error, IssuerNotReached) else str(error)
            _log.warning("issuer not reached", issuer=provider.url, reason=known.error)

    async def _keys_of(self, provider: Provider) -> bytes:
        raw = await self._document(f"{provider.url.rstrip('/')}/.well-known/openid-configuration", provider.ca)
        try:
            configuration = parse_document(raw)
        except DocumentInvalid as error:
            raise IssuerNotReached("its configuration is not JSON") from error
        if configuration.get("issuer") != provider.url:
            raise IssuerNotReached("its configuration is another issuer's")
        place = configuration.get("jwks_uri")
        if not isinstance(place, str) or urlsplit(place).scheme != "https":
            raise IssuerNotReached("its configuration does not say where its keys are")
        return await self._document(place, provider.ca)

    async def _document(self, url: str, ca: str | None) -> bytes:
        fetched = await self._fetch.get(url, bytes_max=KEY_SET_BYTES_MAX, ca=ca)
        if fetched.status != _OK:
            raise IssuerNotReached(f"{urlsplit(url).hostname} answers {fetched.status}")
        return fetched.body
