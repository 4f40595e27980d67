"""Registry tokens: the password that docker sends, and what it says about itself.

The text is `e1.KEY.ID.ACCOUNT.REGION.ISSUED.EXPIRES.MAC`: the version, the id of the signing key, a random id,
the registry, two times in microseconds UTC, and the base64url of an HMAC-SHA256 over everything before it. All
characters are safe in URLs and none is a colon. Who the token stands for is kept by the server under its id.

Spec: ECR API, AuthorizationData; the security design, "Registry token".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime

from entrepot.domain.error import TokenInvalid
from entrepot.domain.registry import Registry

PASSWORD_LENGTH_MAX = 1_999
"""Characters: clients keep passwords in buffers and headers of about 2,000."""

_FORM = re.compile(
    r"e1\.(?P<key>[0-9A-Za-z_-]{1,64})\.(?P<id>[0-9A-Za-z_-]{1,64})\.(?P<account>[0-9]{12})\.(?P<region>[a-z0-9-]{1,64})"
    r"\.(?P<issued>[0-9]{1,18})\.(?P<expires>[0-9]{1,18})\.(?P<mac>[0-9A-Za-z_-]{43})"
)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What GetAuthorizationToken hands out."""

    password: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that is ours and has not expired; whether it was revoked is another question."""

    id: str
    registry: Registry
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenText:
    """The fields of a password; times in microseconds UTC."""

    key_id: str
    id: str
    registry: Registry
    issued_at: int
    expires_at: int

    def sign(self, secret: bytes) -> str:
        """The password."""
        text = (
            f"e1.{self.key_id}.{self.id}.{self.registry.account_id}.{self.registry.region}"
            f".{self.issued_at}.{self.expires_at}"
        )
        return f"{text}.{_mac(secret, text)}"


def read_token_text(password: str) -> TokenText:
    """Read a password without believing it.

    Raises:
        TokenInvalid: not of our form.
    """
    match = _FORM.fullmatch(password) if len(password) <= PASSWORD_LENGTH_MAX else None
    if match is None:
        raise TokenInvalid
    registry = Registry(match["account"], match["region"])
    return TokenText(match["key"], match["id"], registry, int(match["issued"]), int(match["expires"]))


def has_valid_mac(password: str, secret: bytes) -> bool:
    """Whether a password of our form was signed with this key. Takes the same time for every wrong one."""
    text, _, mac = password.rpartition(".")
    return hmac.compare_digest(mac, _mac(secret, text))


def _mac(secret: bytes, text: str) -> str:
    digest = hmac.digest(secret, text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
