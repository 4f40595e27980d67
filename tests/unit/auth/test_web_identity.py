"""Tokens of issuers: the right ones are believed, and every forgery that people have thought of is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from entrepot.auth.web_identity import KeyUnknown, Token, TokenOutdated, TokenRejected, TokenUnfit, parse_keys
from entrepot.domain.web_identity import Provider, WebIdentity
from tests.support.web_identity import AUDIENCE, ISSUER, TestIssuer, claims_of, unsigned

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PROVIDER = Provider("123456789012", ISSUER, (AUDIENCE, "other"))


@pytest.fixture(scope="module")
def issuer() -> TestIssuer:
    return TestIssuer()


def verify(issuer: TestIssuer, text: str, now: datetime = NOW, provider: Provider = PROVIDER) -> WebIdentity:
    return Token(text).verify(provider, parse_keys(issuer.key_set()), now)


@pytest.mark.parametrize("kid", ["one", "two", None])
def test_a_right_token(issuer: TestIssuer, kid: str | None) -> None:
    identity = verify(issuer, issuer.token(NOW, kid=kid, amr=["authenticated"]))

    assert (identity.subject, identity.audience) == ("repo:rapidcart/backend:ref:refs/heads/main", AUDIENCE)
    assert identity.session_keys() == {
        f"{ISSUER}:sub": (identity.subject,),
        f"{ISSUER}:aud": (AUDIENCE,),
        f"{ISSUER}:amr": ("authenticated",),
        "aws:federatedprovider": (f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}",),
    }


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://issuer.example.com"}, "issuer"),
    ({"iss": f"http://{ISSUER}"}, "issuer"),
    ({"iss": None}, "issuer"),
    ({"aud": "somebody-else"}, "audience"),
    ({"aud": []}, "audience"),
    ({"aud": None}, "audience"),
    ({"aud": {"a": "b"}}, "audience"),
    ({"azp": "somebody-else"}, "audience"),
    ({"sub": None}, "whose"),
    ({"sub": ""}, "whose"),
    ({"sub": "x" * 256}, "whose"),
    ({"exp": None}, "when it expires"),
    ({"exp": "soon"}, "not a number"),
    ({"exp": True}, "not a number"),
    ({"sub": "\ud800"}, "not made of JSON"),
    ({"iss": "https://\ud800"}, "not made of JSON"),
    ({"nbf": int(NOW.timestamp()) + 120}, "not hold yet"),
    ({"iat": int(NOW.timestamp()) + 120}, "not hold yet"),
    ({"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a", "b"]}}}, "one value each"),
    ({"https://aws.amazon.com/tags": {}}, "one value each"),
]


@pytest.mark.parametrize(("claims", "reason"), WRONG, ids=[str(claims)[:40] for claims, _ in WRONG])
def test_a_token_that_says_the_wrong_thing(issuer: TestIssuer, claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenRejected, match=reason):
        verify(issuer, issuer.token(NOW, **claims))


def test_time(issuer: TestIssuer) -> None:
    text = issuer.token(NOW)
    verify(issuer, text, NOW + timedelta(minutes=5, seconds=59))
    with pytest.raises(TokenOutdated):
        verify(issuer, text, NOW + timedelta(minutes=6))
    verify(issuer, text, NOW - timedelta(seconds=59))
    with pytest.raises(TokenRejected, match="not hold yet"):
        verify(issuer, text, NOW - timedelta(seconds=61))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "PS256", "EdDSA", "", "RS1"])
def test_algorithms_that_are_not_accepted(algorithm: str) -> None:
    with pytest.raises(TokenRejected, match="algorithm"):
        Token(unsigned(NOW, algorithm, "AAAA"))


def test_a_public_key_is_no_shared_secret(issuer: TestIssuer) -> None:
    """The classic forgery: HS256 with the published RSA key as secret."""
    pem = issuer.rsa.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head, body, _ = unsigned(NOW, "HS256").split(".")
    mac = base64.urlsafe_b64encode(hmac.digest(pem, f"{head}.{body}".encode(), hashlib.sha256)).rstrip(b"=").decode()
    with pytest.raises(TokenRejected, match="algorithm"):
        Token(f"{head}.{body}.{mac}")


def test_a_signature_of_somebody_else(issuer: TestIssuer) -> None:
    forger = TestIssuer()
    with pytest.raises(TokenRejected, match="signature"):
        verify(issuer, forger.token(NOW))
    head, body, signature = issuer.token(NOW).split(".")
    altered = json.dumps(claims_of(NOW) | {"sub": "admin"}).encode()
    with pytest.raises(TokenRejected, match="signature"):
        verify(issuer, f"{head}.{base64.urlsafe_b64encode(altered).rstrip(b'=').decode()}.{signature}")
    with pytest.raises(TokenRejected, match="signature"):
        verify(issuer, f"{head}.{body}.")


def test_keys_that_come_with_the_token_do_not_count(issuer: TestIssuer) -> None:
    forger = TestIssuer()
    own = {"jwk": forger.keys("one")[0], "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert"}
    with pytest.raises(TokenRejected, match="signature"):
        verify(issuer, forger.token(NOW, headers=own))


def test_a_key_that_is_not_published(issuer: TestIssuer) -> None:
    with pytest.raises(KeyUnknown):
        verify(issuer, issuer.token(NOW, kid="three"))
    with pytest.raises(KeyUnknown):
        Token(issuer.token(NOW, kid="two")).verify(PROVIDER, parse_keys(issuer.key_set("one")), NOW)


def test_a_key_of_another_kind_is_not_tried(issuer: TestIssuer) -> None:
    """The token names the key of the curve and is signed with RSA."""
    with pytest.raises(KeyUnknown):
        verify(issuer, issuer.token(NOW, kid="one", headers={"kid": "two"}))


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b", "a.b.c.d", "!.!.!", "e30.e30.", "x" * 20_001, "W10.W10.W10", "é.é.é"]
)
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(TokenRejected):
        Token(text)


def test_extensions_that_must_be_understood_are_not(issuer: TestIssuer) -> None:
    with pytest.raises(TokenRejected, match="extensions"):
        Token(issuer.token(NOW, headers={"crit": ["exp"], "exp": 1}))


def test_session_tags_and_source_identity(issuer: TestIssuer) -> None:
    tags = {"principal_tags": {"team": ["web"], "stage": "prod"}, "transitive_tag_keys": ["team"]}
    claims: dict[str, Any] = {"https://aws.amazon.com/tags": tags, "https://aws.amazon.com/source_identity": "mia"}
    identity = verify(issuer, issuer.token(NOW, **claims))

    assert identity.tags == {"team": "web", "stage": "prod"}
    assert (identity.transitive_tag_keys, identity.source_identity) == (("team",), "mia")


def test_session_tags_as_a_claim_each(issuer: TestIssuer) -> None:
    flat = "https://aws.amazon.com/tags"
    claims: dict[str, Any] = {f"{flat}/principal_tags/team": "web", f"{flat}/principal_tags/stage": ["prod"]}
    claims[f"{flat}/transitive_tag_keys"] = ["team"]
    identity = verify(issuer, issuer.token(NOW, **claims))

    assert identity.tags == {"team": "web", "stage": "prod"}
    assert identity.transitive_tag_keys == ("team",)


@pytest.mark.parametrize("value", [["a", "b"], [], 1, None, {"a": "b"}])
def test_a_tag_as_a_claim_has_one_text(issuer: TestIssuer, value: Any) -> None:
    token = issuer.token(NOW, **{"https://aws.amazon.com/tags/principal_tags/team": value})
    if value is None:  # left out of the token
        assert verify(issuer, token).tags == {}
        return
    with pytest.raises(TokenUnfit, match="one value each"):
        verify(issuer, token)


def test_claims_of_github_are_condition_keys_of_trust(issuer: TestIssuer) -> None:
    github = "token.actions.githubusercontent.com"
    said: dict[str, Any] = {
        "iss": f"https://{github}",
        "repository": "rapidcart/backend",
        "ref": ["no text"],
        "run_id": "7",
    }
    provider = replace(PROVIDER, issuer=github)
    identity = verify(issuer, issuer.token(NOW, **said), provider=provider)

    assert identity.trust_keys() == identity.session_keys() | {f"{github}:repository": ("rapidcart/backend",)}


def test_claims_of_other_issuers_are_none(issuer: TestIssuer) -> None:
    identity = verify(issuer, issuer.token(NOW, repository="rapidcart/backend"))

    assert identity.trust_keys() == identity.session_keys()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1]}',
        b'{"keys": [{"kty": "oct", "k": "AAAA"}]}',
        b'{"keys": [{"kty": "RSA", "n": "AA"}]}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}',
    ],
)
def test_what_is_no_key_set(text: bytes) -> None:
    with pytest.raises(ValueError, match="JSON Web Key Set"):
        parse_keys(text)


def test_other_keys_of_a_set_are_passed_over(issuer: TestIssuer) -> None:
    others = [{"kty": "oct", "k": "AAAA"}, {"kty": "OKP"}, {"kty": "RSA"}, "text"]
    raw = json.dumps({"keys": [*others, *issuer.keys("two")]}).encode()

    assert [key["kid"] for key in parse_keys(raw)] == ["two"]


def test_weak_keys_and_too_many_do_not_count(issuer: TestIssuer) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 (which is what it is about)
    short = json.loads(RSAAlgorithm.to_jwk(weak.public_key()))
    assert [key["kid"] for key in parse_keys(key_set(short, *issuer.keys()))] == ["one", "two"]
    with pytest.raises(ValueError, match="2048 to 8192 bits"):
        parse_keys(key_set(short))
    with pytest.raises(ValueError, match="more than 100 keys of the kind EC"):
        parse_keys(key_set(*issuer.keys("two") * 101, *issuer.keys("one")))


def test_a_curve_belongs_to_its_algorithm(issuer: TestIssuer) -> None:
    """ES256 is of P-256 alone, whatever else could verify."""
    other = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256K1()).public_key()))
    with pytest.raises(KeyUnknown):
        Token(issuer.token(NOW, kid="two")).verify(PROVIDER, [other | {"kid": "two"}], NOW)


@pytest.mark.parametrize("moment", [10**400, -(10**400), 1e308])
def test_times_that_no_clock_shows(issuer: TestIssuer, moment: Any) -> None:
    """What is far ahead never expires or never begins, and no number is too large to compare."""
    refused = []
    for name in ("exp", "nbf", "iat"):
        try:
            verify(issuer, issuer.token(NOW, **{name: moment}))
        except TokenUnfit:
            refused.append(name)
    assert refused == (["nbf", "iat"] if moment > 0 else ["exp"])


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()
