"""An OpenID Connect issuer for tests: keys, and tokens of any claims and of any wrong form."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "issuer.example.com/ci"
AUDIENCE = "sts.amazonaws.com"


class TestIssuer:
    """Signs with an RSA key `one` and a key `two` on the curve P-256."""

    __test__ = False

    @cached_property
    def rsa(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def ec(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    def keys(self, *kids: str) -> list[dict[str, Any]]:
        """The published keys of these ids, else all."""
        one = {**json.loads(RSAAlgorithm.to_jwk(self.rsa.public_key())), "kid": "one", "use": "sig", "alg": "RS256"}
        two = {**json.loads(ECAlgorithm.to_jwk(self.ec.public_key())), "kid": "two", "use": "sig", "alg": "ES256"}
        return [key for key in (one, two) if not kids or key["kid"] in kids]

    def key_set(self, *kids: str) -> bytes:
        return json.dumps({"keys": self.keys(*kids)}).encode()

    def token(
        self, now: datetime, *, kid: str | None = "one", headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token that is right but for what `claims` change; a claim that is None is left out."""
        said = claims_of(now) | claims
        key: Any = self.ec if kid == "two" else self.rsa
        kept = {name: value for name, value in said.items() if value is not None}
        named = {"kid": kid} if kid else {}
        return jwt.encode(
            kept, key, algorithm="ES256" if kid == "two" else "RS256", headers={**named, **(headers or {})}
        )


def claims_of(now: datetime) -> dict[str, Any]:
    """What a token says, unless a test wants something else."""
    return {
        "iss": f"https://{ISSUER}",
        "aud": AUDIENCE,
        "sub": "repo:rapidcart/backend:ref:refs/heads/main",
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(minutes=5)).timestamp()),
    }


def unsigned(now: datetime, algorithm: str = "none", signature: str = "") -> str:
    """A token that nobody signed."""
    parts = ({"alg": algorithm, "kid": "one"}, claims_of(now))
    return ".".join([*(_part(json.dumps(part).encode()) for part in parts), signature])


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
