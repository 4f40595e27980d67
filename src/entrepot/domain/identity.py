"""Identities: accounts and the access keys of their principals.

Spec: IAM user guide, "IAM identifiers"; IAM API, AccessKey.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from entrepot.domain.error import InvalidParameter
from entrepot.domain.principal import Principal, Session

ACCESS_KEY_ID_LENGTH = (3, 128)
"""Characters. IAM says 16 to 128; keys that an operator brings, such as `test`, may be shorter."""

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_]+")
_SECRET = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Account:
    """An account: the owner of registries and principals."""

    id: str
    name: str
    access_epoch: int
    """Raised by every change of access, keys or tokens: what was cached at another epoch is void."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A credential: for ever, or with a session and an end."""

    id: str
    principal: Principal
    secret: str = field(repr=False)
    is_active: bool
    account_epoch: int
    """`Account.access_epoch` when it was read."""
    session: Session | None = None
    """Of a temporary key."""
    session_token_hash: bytes | None = field(default=None, repr=False)
    """SHA-256 of the token that must come with a temporary key."""
    source_arns: tuple[str, ...] = ()
    """Patterns, of a service's key: for what it can ask."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key that does not expire, as lists show it."""

    id: str
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyUse:
    """When and for what a key signed a request."""

    at: datetime
    region: str
    service: str
    """As scopes of signatures name it."""


class OperatorError(Exception):
    """What an operator asked for on the command line or in settings cannot be done; never seen on the wire."""


class AccountNotFound(OperatorError):
    """No account of that id."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"there is no account {account_id}")
        self.account_id = account_id


class AccountAlreadyExists(OperatorError):
    """An account of that id exists."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"the account {account_id} exists already")
        self.account_id = account_id


class RootKeyMissing(OperatorError):
    """The account has no root access key that is active."""

    def __init__(self, account_id: str) -> None:
        super().__init__(
            f"the account {account_id} has no active root access key: "
            f"`entrepot admin account root-key {account_id} --rotate` makes one"
        )
        self.account_id = account_id


class AccessKeyTaken(OperatorError):
    """The access key id belongs to another principal."""

    def __init__(self, access_key_id: str) -> None:
        super().__init__(f"the access key id {access_key_id} belongs to another account")
        self.access_key_id = access_key_id


def check_account_id(text: str) -> None:
    """Check the id of a new account.

    Raises:
        InvalidParameter: not 12 digits.
    """
    if not _ACCOUNT_ID.fullmatch(text):
        raise InvalidParameter("accountId", "must be 12 digits")


def check_access_key(access_key_id: str, secret: str) -> None:
    """Check a key that an operator brings.

    Raises:
        InvalidParameter: an id that no credential scope can carry, or a secret that no client can be given.
    """
    low, high = ACCESS_KEY_ID_LENGTH
    if not low <= len(access_key_id) <= high or not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise InvalidParameter("accessKeyId", f"must have {low} to {high} letters, digits and underscores")
    if not _SECRET.fullmatch(secret):
        raise InvalidParameter("secretAccessKey", "must be printable ASCII without spaces")
