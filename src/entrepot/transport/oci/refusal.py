"""Refusals of the data plane: whatever was raised becomes an OCI error, and a 401 says how to log in.

Spec: RFC 7235, section 4.1; Docker Registry v2 authentication, "Token Authentication Specification".
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from aiohttp.web import Response

from entrepot.domain.error import MissingAuthentication, RegistryError, Unauthenticated
from entrepot.transport.exchange import Exchange
from entrepot.transport.oci import answer, error

log = structlog.get_logger(__name__)

Challenger = Callable[[Exchange, Unauthenticated], str]
"""Makes the WWW-Authenticate header of a 401."""


def refusal(exchange: Exchange, raised: Exception, challenge_of: Challenger) -> Response:
    """The answer to a request that ended with this."""
    if isinstance(raised, MissingAuthentication):
        headers = {**answer.BASE, "WWW-Authenticate": challenge_of(exchange, raised)}
        return Response(status=401, headers=headers, text="Not Authorized\n")
    if isinstance(raised, RegistryError):
        response = answer.from_message(error.answer(raised))
        if isinstance(raised, Unauthenticated):
            response.headers["WWW-Authenticate"] = challenge_of(exchange, raised)
        return response
    if isinstance(raised, error.MethodNotAllowed):
        return answer.from_message(error.not_allowed(raised))
    if isinstance(raised, error.RouteUnknown):
        return answer.from_message(error.no_route())
    log.error("oci.failed", request_id=exchange.id, method=exchange.method, path=exchange.path, exc_info=raised)
    return answer.from_message(error.unexpected(exchange.id))
