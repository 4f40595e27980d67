"""Anonymous tokens: what somebody without credentials gets from `/token/`, to show that there is nothing to prove.

A token names a registry and holds for five minutes. It grants nothing: each request asks whether its repository is open
to everybody. It has the form of a registry token, with a key of its own, and no row.

Spec: Docker Registry v2 authentication, "Token Authentication Specification".
"""

from __future__ import annotations

from datetime import timedelta

from entrepot.domain.error import TokenExpired, TokenInvalid
from entrepot.domain.limit import ANONYMOUS_TOKEN_SECONDS
from entrepot.domain.registry import Registry
from entrepot.domain.registry_token import IssuedToken, TokenText, has_valid_mac, read_token_text
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.store.metadata.base import from_micros

PURPOSE = "anonymous-token"
_ID = "anonymous"
_LIFETIME_MICROS = timedelta(seconds=ANONYMOUS_TOKEN_SECONDS) // timedelta(microseconds=1)


class AnonymousTokenService:
    """Tokens of nobody; every worker makes and verifies them."""

    def __init__(self, context: Context, key: KeyService) -> None:
        self._context, self._key = context, key

    def issue(self, registry: Registry) -> IssuedToken:
        """A new token for a registry, which need not exist."""
        now, key = self._context.now_micros(), self._key.signing_key(PURPOSE)
        expires_at = now + _LIFETIME_MICROS
        return IssuedToken(TokenText(key.id, _ID, registry, now, expires_at).sign(key.secret), from_micros(expires_at))

    def is_one(self, text: str) -> bool:
        """Whether a text says that it is one; it need not hold."""
        try:
            return read_token_text(text).id == _ID
        except TokenInvalid:
            return False

    def verify(self, text: str, registry: Registry) -> None:
        """Check signature, time and registry.

        Raises:
            TokenInvalid: not one of ours, or of another registry.
            TokenExpired: it was.
        """
        token = read_token_text(text)
        key = self._key.verification_key(PURPOSE, token.key_id)
        if key is None or not has_valid_mac(text, key.secret) or token.registry != registry:
            raise TokenInvalid
        if token.expires_at <= self._context.now_micros():
            raise TokenExpired
