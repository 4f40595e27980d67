"""Web identity tokens: whether one was signed by its issuer, is for us, and holds now.

Only signatures of RSA and elliptic curves: with a shared secret or none at all anybody could be anybody. The key comes
from the issuer that the account trusts, never from where the token says.

Spec: RFC 7519 (JWT), RFC 7515 (JWS), RFC 7518 (algorithms); OpenID Connect Core 1.0, "ID Token Validation".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from entrepot.domain.json_document import DocumentInvalid, parse_document, parse_text_document
from entrepot.domain.web_identity import CLAIMS_OF, TOKEN_LENGTH_MAX, Provider, WebIdentity

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
SKEW_SECONDS: Final = 60
"""How far the issuer's clock may be from ours, either way."""
SUBJECT_LENGTH_MAX: Final = 255
"""Characters. Spec: OpenID Connect Core 1.0, `sub`."""
KEYS_MAX: Final = 100
"""Of RSA, and of elliptic curves, in one set. Spec: IAM user guide, "Create an OpenID Connect identity provider"."""
RSA_BITS: Final = range(2_048, 8_193)
"""Sizes of keys that are believed: shorter ones can be broken (RFC 7518, section 3.3), longer ones cost too much."""

_NOT_SIGNED: Final = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
_PARTS: Final = 3
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_TAGS: Final = "https://aws.amazon.com/tags"
_FLAT_TAG: Final = f"{_TAGS}/principal_tags/"
_FLAT_TRANSITIVE: Final = f"{_TAGS}/transitive_tag_keys"
_SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"


class TokenRejected(Exception):
    """A token that is not believed; the text says why, and holds nothing of the token but its own claims."""


class TokenUnfit(TokenRejected):
    """A token that its issuer did sign, but that is not for us, or not now, or says too little."""


class TokenOutdated(TokenUnfit):
    """A token that was right once."""


class KeyUnknown(TokenRejected):
    """A token signed with a key that is not among those given: there may be newer ones."""


class Token:
    """A token taken apart and not believed yet."""

    def __init__(self, text: str) -> None:
        """Read it.

        Raises:
            TokenRejected: not a signed JWT.
        """
        parts = text.split(".")
        if len(text) > TOKEN_LENGTH_MAX or len(parts) != _PARTS:
            raise TokenRejected(_NOT_SIGNED)
        self._text = text
        self._header, self.claims = _read(parts[0]), _read(parts[1])
        self.algorithm = str(self._header.get("alg"))
        if self.algorithm not in ALGORITHMS:
            raise TokenRejected("The token is not signed with an algorithm that is accepted: " + ", ".join(ALGORITHMS))
        if "crit" in self._header:
            raise TokenRejected("The token demands extensions that are not known here")

    @property
    def issuer(self) -> str:
        """What it says of its issuer, without `https://`; empty when that is no such URL, or not printable."""
        issuer = self.claims.get("iss")
        is_url = isinstance(issuer, str) and issuer.startswith("https://") and issuer.isprintable()
        return str(issuer).removeprefix("https://") if is_url else ""

    @property
    def key_id(self) -> str | None:
        """The key that it says it was signed with."""
        key_id = self._header.get("kid")
        return key_id if isinstance(key_id, str) else None

    def verify(self, provider: Provider, keys: Sequence[Mapping[str, Any]], now: datetime) -> WebIdentity:
        """Believe it, if it is signed with one of the provider's keys, for one of its audiences, and holds now.

        Raises:
            KeyUnknown: none of the keys is the one that it names.
            TokenOutdated: it has expired.
            TokenUnfit: its claims do not do.
            TokenRejected: it is not its issuer's.
        """
        if self.claims.get("iss") != provider.url:
            raise TokenRejected("The token's issuer is not the provider's URL")
        self._check_signature(keys)
        self._check_times(now)
        return self._identity(provider)

    def _check_signature(self, keys: Sequence[Mapping[str, Any]]) -> None:
        candidates = [key for key in keys if self._fits(key)]
        if not candidates:
            raise KeyUnknown("The token is signed with a key that its issuer does not publish")
        for key in candidates:
            try:
                jwt.PyJWS(algorithms=[self.algorithm]).decode_complete(
                    self._text, jwt.PyJWK(dict(key), algorithm=self.algorithm).key, algorithms=[self.algorithm]
                )
            except jwt.PyJWTError:
                continue
            return
        raise TokenRejected("The token's signature is not its issuer's")

    def _fits(self, key: Mapping[str, Any]) -> bool:
        """Whether a published key may be the one: its id where the token names one, its kind, and its use."""
        kind = "RSA" if self.algorithm.startswith("RS") else "EC"
        return (
            key.get("kty") == kind
            and (kind == "RSA" or key.get("crv") == _CURVES[self.algorithm])
            and key.get("use", "sig") == "sig"
            and key.get("alg", self.algorithm) == self.algorithm
            and (self.key_id is None or key.get("kid") == self.key_id)
        )

    def _check_times(self, now: datetime) -> None:
        skew = timedelta(seconds=SKEW_SECONDS)
        expires, begins, issued = (self._time(name) for name in ("exp", "nbf", "iat"))
        if expires is None:
            raise TokenUnfit("The token does not say when it expires")
        if (now - skew).timestamp() >= expires:
            raise TokenOutdated("Token expired: current date/time must be before the expiration date/time")
        if any(moment is not None and moment > (now + skew).timestamp() for moment in (begins, issued)):
            raise TokenUnfit("The token does not hold yet: its clock is ahead of ours")

    def _time(self, name: str) -> float | int | None:
        value = self.claims.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TokenUnfit(f"The token's {name} is not a number")
        return value

    def _identity(self, provider: Provider) -> WebIdentity:
        subject = self.claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH_MAX:
            raise TokenUnfit("The token does not say whose it is")
        tags, transitive = self._tags()
        source = self.claims.get(_SOURCE_IDENTITY)
        return WebIdentity(
            provider,
            subject,
            self._audience(provider),
            _texts(self.claims.get("amr")),
            tags,
            transitive,
            source if isinstance(source, str) else None,
            self._claims_of(provider),
        )

    def _claims_of(self, provider: Provider) -> dict[str, str]:
        named = {name: self.claims.get(name) for name in CLAIMS_OF.get(provider.issuer.lower(), ())}
        return {name: value for name, value in named.items() if isinstance(value, str)}

    def _audience(self, provider: Provider) -> str:
        """`azp` where there is one, as AWS does; else the one of `aud` that the provider's client ids name."""
        party = self.claims.get("azp")
        named = (party,) if isinstance(party, str) else _texts(self.claims.get("aud"))
        found = next((audience for audience in named if audience in provider.client_ids), None)
        if found is None:
            raise TokenUnfit("Incorrect token audience")
        return found

    def _tags(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """Session tags, as one claim that holds all of them, or as a claim for each."""
        given = self.claims.get(_TAGS)
        if not isinstance(given, dict):
            given = {"principal_tags": self._flat_tags(), "transitive_tag_keys": self.claims.get(_FLAT_TRANSITIVE)}
        pairs = given.get("principal_tags")
        if not isinstance(pairs, dict) or not all(len(_texts(values)) == 1 for values in pairs.values()):
            raise TokenUnfit("The token's tags must have one value each")
        return {key: _texts(values)[0] for key, values in pairs.items()}, _texts(given.get("transitive_tag_keys"))

    def _flat_tags(self) -> dict[str, Any]:
        flat = self.claims.items()
        return {name.removeprefix(_FLAT_TAG): value for name, value in flat if name.startswith(_FLAT_TAG)}


def parse_keys(text: bytes) -> tuple[dict[str, Any], ...]:
    """The keys of a JSON Web Key Set that can verify, without those that are secret, weak or of other kinds.

    Raises:
        ValueError: not a key set, one without any such key, or one with too many.
    """
    try:
        document = parse_document(text)
    except DocumentInvalid as error:
        raise ValueError("not a JSON Web Key Set") from error
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise ValueError("not a JSON Web Key Set")  # noqa: TRY004 (what it is not, whatever it is)
    known = [key for key in keys if isinstance(key, dict)]
    for kind in ("RSA", "EC"):
        if sum(key.get("kty") == kind for key in known) > KEYS_MAX:
            raise ValueError(f"a JSON Web Key Set with more than {KEYS_MAX} keys of the kind {kind}")
    usable = tuple(key for key in known if _is_usable(key))
    if not usable:
        raise ValueError("a JSON Web Key Set without a public key of RSA (2048 to 8192 bits) or an elliptic curve")
    return usable


def _is_usable(key: Mapping[str, Any]) -> bool:
    if key.get("kty") not in ("RSA", "EC") or "d" in key:
        return False
    try:
        read = jwt.PyJWK(dict(key), algorithm="RS256" if key["kty"] == "RSA" else None).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return False
    return not isinstance(read, RSAPublicKey) or read.key_size in RSA_BITS


def _read(part: str) -> dict[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        return parse_text_document(raw)
    except (binascii.Error, ValueError, DocumentInvalid) as error:
        raise TokenRejected("The token is not made of JSON") from error


def _texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them; anything else is none."""
    if isinstance(value, str):
        return (value,)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
