"""Authentication of AWS requests: a claim and the access key it names become a caller.

In two halves, so that the body is read between them only for requests that name a living key, the right scope
and the present time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from entrepot.auth.claim import Claim, SignedMessage, read_claim
from entrepot.auth.sigv4 import check_clock, check_scope, check_signature
from entrepot.domain.endpoint import parse_endpoint
from entrepot.domain.error import InvalidSignature, UnrecognizedClient
from entrepot.domain.identity import AccessKey
from entrepot.domain.principal import Caller, Principal
from entrepot.domain.registry import partition_of

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
            UnrecognizedClient: no such key, an inactive one, or a session token that belongs to none.
        """
        claim = read_claim(message)
        endpoint = parse_endpoint(message.headers.get("Host", ""))
        check_scope(claim, service, self._regions, endpoint.region if endpoint else None)
        check_clock(claim, self._now())
        key = await self._keys.find_access_key(claim.access_key_id)
        # Session tokens come with temporary keys; those that exist so far are for ever and have none.
        if key is None or not key.is_active or claim.security_token is not None:
            raise UnrecognizedClient
        if claim.body_hash is not None:
            check_signature(claim, message, key.secret, claim.body_hash)
        return Identification(claim, key)

    def confirm(self, message: SignedMessage, identification: Identification, body_hash: str) -> Caller:
        """Check the rest; `body_hash` is the SHA-256 of the body that arrived, in hex.

        Raises:
            InvalidSignature: the body or the signature is another one.
        """
        claim, key = identification.claim, identification.key
        if claim.body_hash is None:
            check_signature(claim, message, key.secret, body_hash)
        elif not hmac.compare_digest(claim.body_hash, body_hash):
            raise InvalidSignature(BODY_MISMATCH)
        return Caller(_in_partition(key.principal, claim.region), claim.access_key_id)


def _in_partition(principal: Principal, region: str) -> Principal:
    """The same principal as the partition of the region writes its ARN."""
    rest = principal.arn.split(":", 2)[2]
    return replace(principal, arn=f"arn:{partition_of(region)}:{rest}")
