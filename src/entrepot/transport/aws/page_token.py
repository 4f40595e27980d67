"""Page tokens: where a list goes on, opaque to the caller and bound to the question it belongs to.

    base64url(id of the key, 8 bytes ‖ nonce, 12 bytes ‖ AES-256-GCM of the JSON array of the page key, with tag)

The cipher's key is derived from the signing key of purpose `page-token`; the question (operation, registry,
repository, filters) is the associated data. Row ids inside are not for outside eyes, hence sealed and not only MACed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.domain.error import InvalidParameter
from entrepot.domain.page import Key, Page, PageRequest

if TYPE_CHECKING:
    from entrepot.domain.key import SigningKey
    from entrepot.transport.aws.call import Call

PURPOSE: Final = "page-token"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_SECRET_BYTES = 32
_TOKEN_LENGTH_MAX = 4096


class PageKeys(Protocol):
    """What page tokens need of `service.key`."""

    def signing_key(self, purpose: str) -> SigningKey:
        """The key that seals now."""

    def verification_key(self, purpose: str, key_id: str) -> SigningKey | None:
        """The key of that id, if it still opens."""


@dataclass(frozen=True, slots=True)
class Paging:
    """One page as a caller asks for it, and the token of the next."""

    request: PageRequest
    _keys: PageKeys
    _question: bytes

    def next_token(self, page: Page[Any]) -> str | None:
        """The token that continues after `page`; None when it is the last."""
        return None if page.next_key is None else seal(self._keys, self._question, page.next_key)


def paging_of(call: Call, default_size: int, *filters: object) -> Paging:
    """Read maxResults and nextToken; `filters` are what else decides which items the list has.

    Raises:
        InvalidParameter: a token that is not ours, or not for this question.
    """
    size, token = call.parameters.get("maxResults", default_size), call.parameters.get("nextToken")
    return continue_list(call, size, token, call.parameters.get("repositoryName"), *filters)


def continue_list(call: Call, size: int, token: str | None, *filters: object) -> Paging:
    """The page of `size` items after `token`.

    Raises:
        InvalidParameter: a token that is not ours, or not for this question.
    """
    question = json.dumps([call.operation, call.registry.account_id, call.registry.region, *filters]).encode()
    after = None if not token else unseal(call.services.key, question, token)
    return Paging(PageRequest(size, after), call.services.key, question)


def seal(keys: PageKeys, question: bytes, key: Key) -> str:
    """The token for a page key."""
    signing_key = keys.signing_key(PURPOSE)
    nonce = os.urandom(_NONCE_BYTES)
    sealed = _cipher(signing_key.secret).encrypt(nonce, json.dumps(key).encode(), question)
    return base64.urlsafe_b64encode(bytes.fromhex(signing_key.id) + nonce + sealed).decode()


def unseal(keys: PageKeys, question: bytes, token: str) -> Key:
    """The page key in a token.

    Raises:
        InvalidParameter: it is not ours, or not for this question.
    """
    try:
        raw = base64.b64decode(token[:_TOKEN_LENGTH_MAX], altchars=b"-_", validate=True)
        signing_key = keys.verification_key(PURPOSE, raw[:_KEY_ID_BYTES].hex())
        secret = os.urandom(_SECRET_BYTES) if signing_key is None else signing_key.secret  # opens nothing
        nonce, sealed = raw[_KEY_ID_BYTES:][:_NONCE_BYTES], raw[_KEY_ID_BYTES + _NONCE_BYTES :]
        return tuple(json.loads(_cipher(secret).decrypt(nonce, sealed, question)))
    except (ValueError, InvalidTag) as error:
        raise InvalidParameter("nextToken", "Invalid token") from error


def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(hmac.digest(secret, b"entrepot/1/page-token/aes-256-gcm", hashlib.sha256))
