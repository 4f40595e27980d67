"""The cache of registry tokens: renewed in time, kept when renewal fails, made anew when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.clients.client_error import ClientError
from entrepot.clients.token_cache import RegistryToken, TokenCache, settings_key


class Clock:
    """A clock that tests turn, and tokens of 1,000 seconds made by it."""

    def __init__(self) -> None:
        self.now, self.made, self.is_down = 1000.0, 0, False

    def __call__(self) -> float:
        return self.now

    def fetch(self) -> RegistryToken:
        if self.is_down:
            raise ClientError("down")
        self.made += 1
        return RegistryToken("AWS", f"p{self.made}", "https://registry.example.com", self.now, self.now + 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> TokenCache:
    return TokenCache(tmp_path / "tokens", clock)


def test_a_token_is_renewed_at_half_of_its_life(cache: TokenCache, clock: Clock) -> None:
    assert cache.get("k", clock.fetch).password == "p1"
    clock.now += 499
    assert cache.get("k", clock.fetch).password == "p1"
    clock.now += 2
    assert cache.get("k", clock.fetch).password == "p2"


def test_an_old_token_does_when_there_is_no_new_one(cache: TokenCache, clock: Clock) -> None:
    cache.get("k", clock.fetch)
    clock.now, clock.is_down = clock.now + 900, True
    assert cache.get("k", clock.fetch).password == "p1"
    clock.now += 101
    with pytest.raises(ClientError, match="down"):
        cache.get("k", clock.fetch)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"username": "AWS"}',
        b'{"username": 1, "password": "p", "proxy_endpoint": "", "issued_at": 0, "expires_at": 9e9}',
        b'{"username": "AWS", "password": "p", "proxy_endpoint": "", "issued_at": 0, "expires_at": "later"}',
    ],
)
def test_a_damaged_file_is_made_anew(cache: TokenCache, clock: Clock, damage: bytes) -> None:
    cache.get("k", clock.fetch)
    assert cache.directory
    (cache.directory / "k.json").write_bytes(damage)
    assert cache.get("k", clock.fetch).password == "p2"
    assert json.loads((cache.directory / "k.json").read_bytes())["password"] == "p2"


def test_a_directory_that_cannot_be_made_costs_a_call_each(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    for cache in (TokenCache(tmp_path / "file" / "tokens", clock), TokenCache(None, clock)):
        before = clock.made
        cache.get("k", clock.fetch)
        cache.get("k", clock.fetch)
        assert clock.made == before + 2


def test_what_leads_nowhere_is_swept(cache: TokenCache, clock: Clock) -> None:
    cache.get("old", clock.fetch)
    cache.know("s", "old")
    assert cache.find_known("s")
    clock.now += 2000
    assert cache.find_known("s") is None
    cache.get("new", clock.fetch)
    assert cache.directory
    assert [path.name for path in cache.directory.glob("*.json")] == ["new.json"]


def test_settings_are_named_by_variables_and_files(tmp_path: Path) -> None:
    config = tmp_path / "config"
    environ = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(config), "AWS_ACCESS_KEY_ID": "A"}
    keys = [settings_key("h", environ=environ), settings_key("i", environ=environ)]
    keys.append(settings_key("h", environ=environ | {"AWS_ACCESS_KEY_ID": "B"}))
    config.write_text("[default]\n")
    keys.append(settings_key("h", environ=environ))
    config.write_text("[default]\nregion = eu-west-1\n")
    keys.append(settings_key("h", environ=environ))
    assert len(set(keys)) == len(keys)
    assert settings_key("h", environ=environ | {"TERM": "dumb"}) == keys[-1]
