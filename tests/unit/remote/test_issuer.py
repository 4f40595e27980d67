"""Keys of issuers: found as discovery says, kept for a while, asked for at most once a minute."""

from __future__ import annotations

import asyncio
import json

import pytest

from entrepot.domain.iam_error import IssuerNotReached
from entrepot.domain.web_identity import Provider
from entrepot.remote.issuer import Issuers
from entrepot.remote.outbound import Fetched, OutboundError

PROVIDER = Provider("123456789012", "issuer.example.com/ci", ("a",), ca="PEM")
CONFIGURATION = "https://issuer.example.com/ci/.well-known/openid-configuration"
KEYS = "https://issuer.example.com/ci/keys"


class Web:
    """What is at which URL, and what was asked for."""

    def __init__(self) -> None:
        self.asked = list[str]()
        self.pages: dict[str, bytes | int] = {
            CONFIGURATION: json.dumps({"issuer": PROVIDER.url, "jwks_uri": KEYS}).encode(),
            KEYS: b"keys",
        }
        self.now = 1_000.0

    async def get(self, url: str, *, bytes_max: int, ca: str | None = None) -> Fetched:
        self.asked.append(url)
        assert (bytes_max, ca) == (256 * 1024, "PEM")
        await asyncio.sleep(0)
        page = self.pages.get(url)
        if page is None:
            raise OutboundError("nobody there")
        return Fetched(200, {}, page) if isinstance(page, bytes) else Fetched(page, {}, b"secret words")


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def issuers(web: Web) -> Issuers:
    return Issuers(web, lambda: web.now)


async def test_keys_are_found_by_discovery_and_kept(web: Web, issuers: Issuers) -> None:
    assert await issuers.keys(PROVIDER) == await issuers.keys(PROVIDER) == b"keys"
    assert web.asked == [CONFIGURATION, KEYS]
    web.now += 3_599
    await issuers.keys(PROVIDER)
    assert len(web.asked) == 2
    web.now += 1
    await issuers.keys(PROVIDER)
    assert len(web.asked) == 4


async def test_a_missing_key_asks_again_but_once_a_minute(web: Web, issuers: Issuers) -> None:
    await issuers.keys(PROVIDER)
    web.pages[KEYS] = b"newer"
    assert await issuers.keys(PROVIDER, anew=True) == b"keys"
    web.now += 60
    assert await issuers.keys(PROVIDER, anew=True) == b"newer"
    for _ in range(10):
        await issuers.keys(PROVIDER, anew=True)
    assert len(web.asked) == 4


async def test_many_at_once_ask_once(web: Web, issuers: Issuers) -> None:
    assert set(await asyncio.gather(*(issuers.keys(PROVIDER) for _ in range(20)))) == {b"keys"}
    assert len(web.asked) == 2


async def test_keys_of_before_stay_when_the_issuer_is_away(web: Web, issuers: Issuers) -> None:
    await issuers.keys(PROVIDER)
    web.pages.clear()
    web.now += 4_000
    assert await issuers.keys(PROVIDER) == b"keys"


async def test_an_issuer_that_is_away_is_asked_once_a_minute(web: Web, issuers: Issuers) -> None:
    web.pages.clear()
    for _ in range(5):
        with pytest.raises(IssuerNotReached, match="nobody there"):
            await issuers.keys(PROVIDER)
    assert len(web.asked) == 1
    web.now += 60
    with pytest.raises(IssuerNotReached):
        await issuers.keys(PROVIDER)
    assert len(web.asked) == 2


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "not JSON"),
        (b"{}", "another issuer's"),
        (json.dumps({"issuer": "https://evil.example", "jwks_uri": KEYS}).encode(), "another issuer's"),
        (json.dumps({"issuer": PROVIDER.url}).encode(), "where its keys are"),
        (json.dumps({"issuer": PROVIDER.url, "jwks_uri": "http://issuer.example.com/keys"}).encode(), "where its keys"),
        (json.dumps({"issuer": PROVIDER.url, "jwks_uri": "file:///etc/passwd"}).encode(), "where its keys are"),
        (404, "answers 404"),
        (302, "answers 302"),
    ],
)
async def test_a_configuration_that_does_not_do(web: Web, issuers: Issuers, page: bytes | int, reason: str) -> None:
    web.pages[CONFIGURATION] = page
    with pytest.raises(IssuerNotReached, match=reason) as caught:
        await issuers.keys(PROVIDER)
    assert "secret" not in str(caught.value)


async def test_memory_of_issuers_is_bounded(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.remote.issuer.ISSUERS_MAX", 3)
    issuers = Issuers(web, lambda: web.now)
    for number in range(10):
        with pytest.raises(IssuerNotReached):
            await issuers.keys(Provider("1", f"i{number}.example", (), ca="PEM"))
    assert len(issuers._published) == 3
