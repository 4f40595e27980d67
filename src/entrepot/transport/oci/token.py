"""Tokens on `/token/`: what clients fetch where the challenge is Bearer.

    GET /token/?service=…&scope=repository:team/app:pull
    {"token": "e1.…", "access_token": "e1.…", "expires_in": 300, "issued_at": "2026-01-01T12:00:00Z"}

With a password as Basic credentials the answer is that password; without credentials it is a token of nobody. What is
asked for (`scope`) changes nothing: a token says who asks, and each request is decided by itself.

Spec: Docker Registry v2 authentication, "Token Authentication Specification".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.web import Response

from entrepot.auth.docker_login import challenge, read_login
from entrepot.domain.limit import ANONYMOUS_TOKEN_SECONDS
from entrepot.transport.body import BodyBroken
from entrepot.transport.exchange import Exchange, NotQuick
from entrepot.transport.oci import answer, error
from entrepot.transport.oci.access import Access
from entrepot.transport.oci.refusal import refusal

if TYPE_CHECKING:
    from entrepot.domain.bearer_host import BearerHosts
    from entrepot.service.services import Services

_NO_STORE = {"Cache-Control": "no-store"}


class TokenEndpoint:
    """Answers `/token/` on Bearer hosts; elsewhere there is no such path."""

    def __init__(self, access: Access, services: Services, hosts: BearerHosts) -> None:
        self._access, self._services, self._hosts = access, services, hosts

    async def __call__(self, exchange: Exchange) -> Response:
        """Answer one request."""
        try:
            return await self._answer(exchange)
        except (BodyBroken, ConnectionError, NotQuick):
            raise
        except Exception as raised:  # noqa: BLE001 (the border of this plane, as in `route.py`)
            return refusal(exchange, raised, lambda e, _: challenge(e.host, e.peer.is_secure))

    async def _answer(self, exchange: Exchange) -> Response:
        registry = self._hosts.registry_of(exchange.host)
        if registry is None:
            raise error.RouteUnknown(exchange.path)
        if exchange.method != "GET":
            raise error.MethodNotAllowed(("GET",))
        authorization = exchange.headers.get("Authorization")
        if not authorization:
            return self._give(self._services.anonymous_token.issue(registry).password)
        call = await self._access.open(exchange)
        _, password = read_login(authorization)  # a Bearer token is nothing to get one with
        await self._access.confirm(call, await self._access.epoch(call))
        return self._give(password)

    def _give(self, token: str) -> Response:
        body = {
            "token": token,
            "access_token": token,
            "expires_in": ANONYMOUS_TOKEN_SECONDS,  # a password may hold longer; clients come for it again
            "issued_at": f"{self._services.context.now():%Y-%m-%dT%H:%M:%SZ}",
        }
        return answer.document(body, _NO_STORE)
