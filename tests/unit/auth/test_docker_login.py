"""Authorization headers of docker clients."""

import base64

import pytest

from entrepot.auth.docker_login import challenge, read_bearer, read_login, registry_for
from entrepot.domain.error import MissingAuthentication, TokenInvalid
from entrepot.domain.registry import Registry

HOME = Registry("123456789012", "us-east-1")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("header", [basic("AWS:good"), basic("AWS:good").replace("Basic", "basic")])
def test_good(header: str) -> None:
    assert read_login(header) == ("AWS", "good")


def test_only_the_first_colon_parts() -> None:
    assert read_login(basic("ci:a:b")) == ("ci", "a:b")


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, MissingAuthentication),
        ("", MissingAuthentication),
        ("Basic", TokenInvalid),
        ("Basic ***", TokenInvalid),
        ("Basic \udcff", TokenInvalid),
        (basic("AWS"), TokenInvalid),
        (basic("AWS:gööd"), TokenInvalid),
        ("Bearer good", TokenInvalid),
        (basic("AWS:" + "x" * 100_000), TokenInvalid),
    ],
)
def test_bad(header: str | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_login(header)


@pytest.mark.parametrize("token", ["x" * 100_000, "entr_\udcff", "entr_\u00e9"])
def test_bad_bearer(token: str) -> None:
    with pytest.raises(TokenInvalid):
        read_bearer(f"Bearer {token}")


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
    assert registry_for(host, HOME) == registry


@pytest.mark.parametrize(
    "host",
    ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com", "public.ecr.aws"],
)
def test_hosts_that_refuse_the_token(host: str) -> None:
    with pytest.raises(TokenInvalid):
        registry_for(host, HOME)


def test_challenge_repeats_only_hosts() -> None:
    assert challenge("h:5000", False) == 'Basic realm="http://h:5000/",service="ecr.amazonaws.com"'
    assert challenge("[::1]:5000", True) == 'Basic realm="https://[::1]:5000/",service="ecr.amazonaws.com"'
    for evil in ('x",evil="', "a\r\nb", "", "ä", "a b", "x" * 300):
        assert challenge(evil, True) == 'Basic realm="https://localhost/",service="ecr.amazonaws.com"'
