"""Authentication of AWS requests: a claim and the access key it names become a caller.

In two halves, so that the body is read between them only for requests that name a living key, the right scope
and the present time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from entrepot.auth.claim import Claim, SignedMessage, read_claim
from entrepot.auth.sigv4 import check_clock, check_scope, check_signature
from entrepot.domain.endpoint import parse_endpoint
from entrepot.domain.error import ExpiredCredentials, InvalidSignature, UnrecognizedClient
from entrepot.domain.identity import AccessKey
from entrepot.domain.principal import Caller, PrincipalKind
from entrepot.domain.registry import partition_of
from entrepot.domain.service_principal import source_of

SOURCE_ARN_HEADER: Final = "X-Amz-Source-Arn"
SOURCE_ACCOUNT_HEADER: Final = "X-Amz-Source-Account"
"""In which AWS's own services say for what they call."""

BODY_MISMATCH = "The provided 'x-amz-content-sha256' header does not match what was computed."


class AccessKeys(Protocol):
    """What authentication needs of `service.identity`."""

    async def find_access_key(self, access_key_id: str) -> AccessKey | None:
        """The key with its secret, or None."""


@dataclass(frozen=True, slots=True)
class Identification:
    """Whose key a request names; not proven before `Authenticator.confirm`."""

    claim: Claim
    key: AccessKey


class Authenticator:
    """Says who signed a request, or why it does not count."""

    def __init__(self, keys: AccessKeys, regions: frozenset[str], now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._regions = regions
        self._now = now

    async def identify(self, message: SignedMessage, service: str) -> Identification:
        """Check all that can be checked without the body.

        Raises:
            MissingAuthentication, IncompleteSignature: no signature, or not a whole one.
            InvalidSignature: scope, time, signed headers, or a stated body hash that was not signed.
            UnrecognizedClient: no such key, an inactive one, or not the session token that belongs to it.
            ExpiredCredentials: the key's session has ended.
        """
        claim = read_claim(message)
        endpoint = parse_endpoint(message.headers.get("Host", ""))
        check_scope(claim, service, self._regions, endpoint.region if endpoint else None)
        check_clock(claim, self._now())
        key = await self._find_key(claim.access_key_id)
        if key is None or not key.is_active or not _fits(key, claim.security_token):
            raise UnrecognizedClient
        if key.session is not None and key.session.expires_at <= self._now():
            raise ExpiredCredentials
        if claim.body_hash is not None:
            check_signature(claim, message, key.secret, claim.body_hash)
        return Identification(claim, key)

    async def _find_key(self, access_key_id: str) -> AccessKey | None:
        """The key, if it could be one: databases take neither NUL nor what is not UTF-8."""
        is_text = access_key_id.isascii() and access_key_id.isprintable()
        return await self._keys.find_access_key(access_key_id) if is_text else None

    def confirm(self, message: SignedMessage, identification: Identification, body_hash: str) -> Caller:
        """Check the rest; `body_hash` is the SHA-256 of the body that arrived, in hex.

        Raises:
            InvalidSignature: the body or the signature is another one.
            SourceNotAccepted: a service asks for what its credential does not vouch for.
        """
        claim, key = identification.claim, identification.key
        if claim.body_hash is None:
            check_signature(claim, message, key.secret, body_hash)
        elif not hmac.compare_digest(claim.body_hash, body_hash):
            raise InvalidSignature(BODY_MISMATCH)
        principal = key.principal.in_partition(partition_of(claim.region))
        source_arn = _source(key, message) if principal.kind is PrincipalKind.SERVICE else None
        return Caller(principal, claim.access_key_id, key.account_epoch, key.session, source_arn)


def _source(key: AccessKey, message: SignedMessage) -> str:
    """For what a service asks: its headers are signed, as every `x-amz-` header is, and nobody else's are looked at."""
    arn, account = (message.headers.get(name) for name in (SOURCE_ARN_HEADER, SOURCE_ACCOUNT_HEADER))
    return source_of(key.principal.arn, key.source_arns, arn, account)


def _fits(key: AccessKey, session_token: str | None) -> bool:
    """Whether the token is the one that belongs to a temporary key, or there is none and the key needs none."""
    if key.session_token_hash is None or session_token is None:
        return key.session_token_hash is None and session_token is None
    given = hashlib.sha256(session_token.encode("utf-8", "surrogatepass")).digest()
    return hmac.compare_digest(key.session_token_hash, given)
