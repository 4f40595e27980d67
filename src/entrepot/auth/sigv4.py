"""Signature Version 4: whether a claim's scope, time and signature hold.

`check_scope` and `check_clock` need no secret and run before a body is read; `check_signature` needs the secret
and the hash of the body.

Spec: AWS IAM user guide, "AWS Signature Version 4 for API requests"; security rules, "Identity".
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from entrepot.auth.canonical_request import canonical_headers, canonical_path, canonical_query
from entrepot.auth.claim import ALGORITHM, BASIC_FORMAT, MISMATCH, TERMINATOR, Claim, SignedMessage
from entrepot.domain.error import InvalidSignature

SKEW: Final = timedelta(minutes=15)
EMPTY_BODY_HASH: Final = hashlib.sha256(b"").hexdigest()


def check_scope(claim: Claim, service: str, regions: frozenset[str], host_region: str | None) -> None:
    """Check whom and what the signature is for; `host_region` is that of an AWS-shaped Host, if it names one.

    Raises:
        InvalidSignature: another service, an unknown region, or another region than the host's.
    """
    if claim.service != service:
        raise InvalidSignature(f"Credential should be scoped to correct service: '{service}'.")
    if claim.region not in regions or host_region not in (None, claim.region):
        raise InvalidSignature("Credential should be scoped to a valid region.")


def check_clock(claim: Claim, now: datetime) -> None:
    """Check that the request was signed lately, or that a presigned one is alive.

    Raises:
        InvalidSignature: too old or from the future.
    """
    signed, current = _basic(claim.signed_at), _basic(now)
    if claim.signed_at > now + SKEW:
        limit = _basic(now + SKEW)
        raise InvalidSignature(f"Signature not yet current: {signed} is still later than {limit} ({current} + 15 min.)")
    if claim.expires is None and claim.signed_at < now - SKEW:
        limit = _basic(now - SKEW)
        raise InvalidSignature(f"Signature expired: {signed} is now earlier than {limit} ({current} - 15 min.)")
    if claim.expires is not None and now > claim.signed_at + claim.expires:
        raise InvalidSignature(
            f"Signature expired: {_basic(claim.signed_at + claim.expires)} is now earlier than {current}"
        )


def check_signature(claim: Claim, message: SignedMessage, secret: str, body_hash: str) -> None:
    """Compare the signature with our own; `body_hash` is the SHA-256 of the body, in hex.

    Raises:
        InvalidSignature: it differs.
    """
    expected = hmac.new(
        signing_key(secret, claim), string_to_sign(claim, message, body_hash).encode(), hashlib.sha256
    ).hexdigest()
    if not hmac.compare_digest(expected, claim.signature):
        raise InvalidSignature(MISMATCH, is_forged=True)


def string_to_sign(claim: Claim, message: SignedMessage, body_hash: str) -> str:
    """What the signature is a MAC of."""
    hashed = hashlib.sha256(canonical_request(claim, message, body_hash)).hexdigest()
    return "\n".join((ALGORITHM, _basic(claim.signed_at), claim.scope, hashed))


def canonical_request(claim: Claim, message: SignedMessage, body_hash: str) -> bytes:
    """The request as every signer writes it down, whatever happened to its headers on the way."""
    lines = (
        message.method,
        canonical_path(message.raw_path),
        canonical_query(message.raw_query),
        canonical_headers(message.headers, claim.signed_headers),
        "",
        ";".join(claim.signed_headers),
        body_hash,
    )
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def signing_key(secret: str, claim: Claim) -> bytes:
    """The key derived from the secret for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, claim.service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _basic(moment: datetime) -> str:
    return moment.strftime(BASIC_FORMAT)
