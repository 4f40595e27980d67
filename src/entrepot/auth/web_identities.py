"""Web identities of requests: a token becomes somebody whom a provider of the role's account vouches for.

Spec: STS API, AssumeRoleWithWebIdentity: errors InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from entrepot.auth.web_identity import KeyUnknown, Token, TokenOutdated, TokenRejected, TokenUnfit, parse_keys
from entrepot.domain.iam_error import ExpiredIdentityToken, InvalidIdentityToken, IssuerNotReached
from entrepot.domain.web_identity import Provider, WebIdentity


class Providers(Protocol):
    """What is needed of `service.iam.provider`."""

    async def find(self, account_id: str, issuer: str) -> Provider | None:
        """The provider that an account trusts as `issuer`, if it does."""


class KeySets(Protocol):
    """What is needed of `remote.issuer`."""

    async def keys(self, provider: Provider, *, anew: bool = False) -> bytes:
        """The key set that a provider publishes.

        Raises:
            IssuerNotReached: there is none.
        """


class WebIdentities:
    """Believes tokens, for one worker."""

    def __init__(self, providers: Providers, key_sets: KeySets, now: Callable[[], datetime]) -> None:
        self._providers, self._key_sets, self._now = providers, key_sets, now

    async def verify(self, account_id: str, text: str) -> WebIdentity:
        """Who holds a token, if a provider of the account vouches for it.

        Raises:
            InvalidIdentityToken, ExpiredIdentityToken, IssuerNotReached.
        """
        try:
            token = Token(text)
            provider = await self._providers.find(account_id, token.issuer)
            if provider is None:
                raise InvalidIdentityToken(
                    f"No OpenIDConnect provider found in your account for https://{token.issuer[:255]}"
                )
            return await self._believe(token, provider)
        except TokenOutdated as error:
            raise ExpiredIdentityToken from error
        except TokenRejected as error:
            raise InvalidIdentityToken(str(error), is_forged=not isinstance(error, TokenUnfit)) from error

    async def _believe(self, token: Token, provider: Provider) -> WebIdentity:
        """With the keys given by hand, else with those that the issuer publishes, newer ones where one is missing."""
        if provider.keys is not None:
            return token.verify(provider, _parsed(provider.keys.encode()), self._now())
        try:
            identity = token.verify(provider, _parsed(await self._key_sets.keys(provider)), self._now())
        except KeyUnknown:
            identity = token.verify(provider, _parsed(await self._key_sets.keys(provider, anew=True)), self._now())
        if await self._providers.find(provider.account_id, provider.issuer) != provider:  # an issuer may be slow
            raise TokenUnfit("The provider was changed meanwhile: try again")
        return identity


def _parsed(raw: bytes) -> tuple[dict[str, Any], ...]:
    try:
        return _parse(raw)
    except ValueError as error:
        raise IssuerNotReached(f"it publishes {error}") from error


@lru_cache(maxsize=64)
def _parse(raw: bytes) -> tuple[dict[str, Any], ...]:
    return parse_keys(raw)
