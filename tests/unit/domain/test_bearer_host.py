"""Bearer hosts: how they are written, and which registry a Host header means."""

from __future__ import annotations

import pytest

from entrepot.domain.bearer_host import BearerHost, BearerHosts
from entrepot.domain.registry import Registry

OWN = Registry("123456789012", "us-east-1")
OTHER = Registry("210987654321", "eu-west-1")
AWS = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"


def hosts(*texts: str) -> BearerHosts:
    return BearerHosts(map(BearerHost.parse, texts), OWN)


@pytest.mark.parametrize(
    ("text", "host", "registry"),
    [
        ("public.example", "public.example", OWN),
        ("public.example", "public.example:5000", OWN),
        ("Public.Example", "PUBLIC.example", OWN),
        ("public.example:5000", "public.example:5000", OWN),
        ("public.example:5000", "public.example:5001", None),
        ("public.example:5000", "public.example", None),
        ("public.example", "public.example.evil", None),
        ("public.example", "evil.public.example", None),
        ("public.example", "public.example:x", None),
        ("public.example", "", None),
        ("127.0.0.1:5001=210987654321/eu-west-1", "127.0.0.1:5001", OTHER),
        ("[::1]", "[::1]:5000", OWN),
        ("[::1]", "[::1]", OWN),
        (AWS, f"{AWS}:443", OTHER),
        (f"{AWS}=210987654321/eu-west-1", AWS, OTHER),
    ],
)
def test_whose_registry(text: str, host: str, registry: Registry | None) -> None:
    assert hosts(text).registry_of(host) == registry


def test_none_is_none() -> None:
    assert hosts().registry_of("public.example") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://public.example",
        "public.example/",
        "*.example",
        "-x.example",
        "public.example:",
        "public.example:123456",
        "public.example=",
        "public.example=123/us-east-1",
        "public.example=123456789012",
        "public.example=123456789012/nowhere",
        f"{AWS}=123456789012/us-east-1",
        "api.ecr.us-east-1.amazonaws.com",
        "public.ecr.aws",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        BearerHost.parse(text)


def test_as_text() -> None:
    for text in ("public.example", "127.0.0.1:5001=210987654321/eu-west-1"):
        assert str(BearerHost.parse(text)) == text
