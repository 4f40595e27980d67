"""An address that sends false credentials is told to wait, on both planes alike; what is only old or missing is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.service.registry_token import RegistryTokenService
from tests.support.database import SqliteAddress
from tests.support.registry import RunningRegistry, running_registry
from tests.support.wire import basic

LIMIT = 4
JSON = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
}


@pytest.fixture
async def registry(sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    async with running_registry(sqlite_address, tmp_path / "data", failed_logins_per_minute=LIMIT) as running:
        yield running


def signed_by(access_key_id: str, registry: RunningRegistry) -> dict[str, str]:
    """Headers of a request with a signature that nobody made."""
    now = registry.clock.now()
    scope = f"{access_key_id}/{now:%Y%m%d}/us-east-1/ecr/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
    return JSON | {"X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}", "Authorization": signature}


async def status(registry: RunningRegistry, authorization: str | None = None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    return (await registry.client.send("GET", "/v2/", headers)).status


async def test_false_tokens_shut_the_address_out_until_the_window_ends(registry: RunningRegistry) -> None:
    for false in (basic("e1.a.b.c"), basic("x"), "Bearer x", basic("e1")):
        assert await status(registry, false) == 401
    refused = await registry.client.send("GET", "/v2/")
    assert (refused.status, refused.codes) == (429, ["TOOMANYREQUESTS"])
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert (await registry.client.send("POST", "/", signed_by("AKIA0000000000000000", registry), b"{}")).json() == {
        "__type": "ThrottlingException",
        "message": f"Too many failed logins: try again in {refused.headers['Retry-After']} s",
    }
    registry.clock.advance(61)
    assert await status(registry) == 200


@pytest.mark.parametrize("is_known", [True, False])
async def test_false_signatures_count_as_well(registry: RunningRegistry, is_known: bool) -> None:
    key = registry.root_keys[registry.home.account_id].id if is_known else "AKIA0000000000000000"
    for _ in range(LIMIT):
        answer = await registry.client.send("POST", "/", signed_by(key, registry), b"{}")
        assert answer.json()["__type"] == ("InvalidSignatureException" if is_known else "UnrecognizedClientException")
    assert await status(registry) == 429


async def test_what_is_missing_old_or_revoked_does_not_count(registry: RunningRegistry) -> None:
    token = basic(await registry.password())
    registry.clock.advance(13 * 3600)
    late = signed_by("AKIA0000000000000000", registry) | {"X-Amz-Date": "20200101T000000Z"}
    for _ in range(LIMIT + 1):
        assert await status(registry, "") == 401
        assert await status(registry, token) == 401
        assert (await registry.client.send("POST", "/", late, b"{}")).status == 400
    assert await status(registry, basic(await registry.password())) == 200
    await registry.services.identity.rotate_root_key(registry.home.account_id)
    assert isinstance(registry.services.registry_token, RegistryTokenService)
    for _ in range(LIMIT + 1):
        assert (await registry.client.send("GET", "/v2/_catalog", {"Authorization": token})).status == 401
    assert await status(registry, "") == 401
