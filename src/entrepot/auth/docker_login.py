"""Docker logins: the Authorization header of a `/v2/` request becomes a user and a password, its host a registry.

Spec: ECR user guide, "Private registry authentication"; RFC 7617; design, "Every protocol on every listener".
"""

from __future__ import annotations

import base64
import binascii
import re

from entrepot.domain.endpoint import EndpointKind, parse_endpoint
from entrepot.domain.error import MissingAuthentication, TokenInvalid
from entrepot.domain.registry import Registry

SERVICE = "ecr.amazonaws.com"
AUTHORIZATION_LENGTH_MAX = 8192
"""Characters; a token has under 2,000."""

_HOST = re.compile(r"[A-Za-z0-9._~-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def read_login(authorization: str | None) -> tuple[str, str]:
    """User and password of `Basic base64(USER:PASSWORD)`, neither of them believed.

    Raises:
        MissingAuthentication: no header.
        TokenInvalid: another scheme, or not of this form.
    """
    if not authorization:
        raise MissingAuthentication
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > AUTHORIZATION_LENGTH_MAX:
        raise TokenInvalid
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError) as error:
        raise TokenInvalid from error
    if not colon:
        raise TokenInvalid
    return user, password


def read_bearer(authorization: str | None) -> str | None:
    """The token of `Bearer token`, without believing it; None for another scheme, or no header.

    Raises:
        TokenInvalid: longer than any of ours, or not ASCII.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    if len(token) > AUTHORIZATION_LENGTH_MAX or not token.isascii():
        raise TokenInvalid
    return token.strip()


def registry_for(host: str, own: Registry) -> Registry:
    """The registry that a request means: its host's when that is AWS-shaped, else its password's `own`.

    Raises:
        TokenInvalid: the host is in another region than the password, or not a private registry.
    """
    endpoint = parse_endpoint(host)
    if endpoint is None:
        return own
    if endpoint.kind is not EndpointKind.REGISTRY or not endpoint.account_id or endpoint.region != own.region:
        raise TokenInvalid
    return Registry(endpoint.account_id, endpoint.region)


def challenge(host: str, is_secure: bool) -> str:
    """The WWW-Authenticate header of a 401; the Host header is only repeated when it is one."""
    return f'Basic realm="{_url(host, is_secure)}/",service="{SERVICE}"'


def bearer_challenge(host: str, is_secure: bool, **more: str) -> str:
    """The same where clients fetch tokens; `more` are `scope` and `error`, without quotes in them."""
    said = {"realm": f"{_url(host, is_secure)}/token/", "service": SERVICE, **more}
    return "Bearer " + ",".join(f'{name}="{value}"' for name, value in said.items())


def _url(host: str, is_secure: bool) -> str:
    shown = host if _HOST.fullmatch(host) else "localhost"
    return f"{'https' if is_secure else 'http'}://{shown}"
