"""Tokens against providers and issuers: a provider that goes while its issuer is asked vouches for nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from entrepot.auth.web_identities import WebIdentities
from entrepot.domain.iam_error import InvalidIdentityToken, IssuerNotReached
from entrepot.domain.web_identity import Provider
from tests.support.web_identity import AUDIENCE, ISSUER, TestIssuer

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ACCOUNT = "123456789012"


class Place:
    """An account with a provider, and the keys that its issuer publishes; both may change on the way."""

    def __init__(self, *published: bytes) -> None:
        self.provider: Provider | None = Provider(ACCOUNT, ISSUER, (AUDIENCE,))
        self.is_deleted_meanwhile = False
        self.asked = list[bool]()
        self._published = list(published)

    async def find(self, account_id: str, issuer: str) -> Provider | None:
        return self.provider if (account_id, issuer) == (ACCOUNT, ISSUER) else None

    async def keys(self, _: Provider, *, anew: bool = False) -> bytes:
        self.asked.append(anew)
        if self.is_deleted_meanwhile:
            self.provider = None
        return self._published.pop(0)

    async def verify(self, text: str) -> str:
        return (await WebIdentities(self, self, lambda: NOW).verify(ACCOUNT, text)).subject


@pytest.fixture(scope="module")
def issuer() -> TestIssuer:
    return TestIssuer()


async def test_newer_keys_are_asked_for_where_one_is_missing(issuer: TestIssuer) -> None:
    place = Place(issuer.key_set("one"), issuer.key_set())
    assert await place.verify(issuer.token(NOW, kid="two")) == "repo:rapidcart/backend:ref:refs/heads/main"
    assert place.asked == [False, True]


async def test_a_false_signature_is_no_reason_to_ask_again(issuer: TestIssuer) -> None:
    place = Place(issuer.key_set())
    with pytest.raises(InvalidIdentityToken, match="signature"):
        await place.verify(TestIssuer().token(NOW))
    assert place.asked == [False]


async def test_a_provider_that_is_deleted_meanwhile(issuer: TestIssuer) -> None:
    place = Place(issuer.key_set())
    place.is_deleted_meanwhile = True
    with pytest.raises(InvalidIdentityToken, match="meanwhile"):
        await place.verify(issuer.token(NOW))


async def test_published_keys_of_no_use(issuer: TestIssuer) -> None:
    with pytest.raises(IssuerNotReached):
        await Place(b"<html>").verify(issuer.token(NOW))
