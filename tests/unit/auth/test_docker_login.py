"""Authorization headers of docker clients."""

import base64
from datetime import UTC, datetime

import pytest

from entrepot.auth.docker_login import challenge, read_login, registry_for
from entrepot.domain.error import MissingAuthentication, TokenExpired, TokenInvalid
from entrepot.domain.registry import Registry
from entrepot.domain.registry_token import VerifiedToken

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOME = Registry("123456789012", "us-east-1")
TOKEN = VerifiedToken("1", HOME, NOW, NOW)


class Verifier:
    def verify(self, password: str) -> VerifiedToken:
        if password == "old":
            raise TokenExpired
        if password != "good":
            raise TokenInvalid
        return TOKEN


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("header", [basic("AWS:good"), basic("AWS:good").replace("Basic", "basic")])
def test_good(header: str) -> None:
    assert read_login(header, Verifier()) is TOKEN


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, MissingAuthentication),
        ("", MissingAuthentication),
        ("Basic", TokenInvalid),
        ("Basic ***", TokenInvalid),
        ("Basic \udcff", TokenInvalid),
        (basic("AWS"), TokenInvalid),
        (basic("aws:good"), TokenInvalid),
        (basic("AWS:bad"), TokenInvalid),
        (basic("AWS:gööd"), TokenInvalid),
        (basic("AWS:old"), TokenExpired),
        ("Bearer good", TokenInvalid),
        (basic("AWS:" + "x" * 100_000), TokenInvalid),
    ],
)
def test_bad(header: str | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_login(header, Verifier())


@pytest.mark.parametrize(
    ("host", "registry"),
    [
        ("127.0.0.1:5000", HOME),
        ("registry.example.com", HOME),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com", HOME),
        ("210987654321.dkr.ecr.us-east-1.amazonaws.com", Registry("210987654321", "us-east-1")),
    ],
)
def test_registry_of_host(host: str, registry: Registry) -> None:
    assert registry_for(host, TOKEN) == registry


@pytest.mark.parametrize(
    "host",
    ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com", "public.ecr.aws"],
)
def test_hosts_that_refuse_the_token(host: str) -> None:
    with pytest.raises(TokenInvalid):
        registry_for(host, TOKEN)


def test_challenge_repeats_only_hosts() -> None:
    assert challenge("h:5000", False) == 'Basic realm="http://h:5000/",service="ecr.amazonaws.com"'
    assert challenge("[::1]:5000", True) == 'Basic realm="https://[::1]:5000/",service="ecr.amazonaws.com"'
    for evil in ('x",evil="', "a\r\nb", "", "ä", "a b", "x" * 300):
        assert challenge(evil, True) == 'Basic realm="https://localhost/",service="ecr.amazonaws.com"'
