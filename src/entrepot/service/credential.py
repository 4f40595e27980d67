"""Credentials and unique ids: made from randomness, in the forms that AWS gives them.

Spec: IAM user guide, "IAM identifiers", "Unique identifiers"; IAM API, AccessKey.
"""

from __future__ import annotations

import base64
from typing import Final

from entrepot.domain.iam import EntityKind
from entrepot.service.context import Context

LASTING_PREFIX: Final = "AKIA"
"""What the ids of keys begin with that do not expire."""
TEMPORARY_PREFIX: Final = "ASIA"
"""What the ids of keys begin with that expire, and come with a session token."""
KEY_ID_BYTES: Final = 10
"""Random bytes of a key id: 16 characters of A to Z and 2 to 7."""
UNIQUE_ID_LENGTH: Final = 17
"""Characters of a unique id behind its prefix."""
SECRET_BYTES: Final = 30
"""Random bytes of a secret: 40 characters of base64."""
SESSION_TOKEN_LENGTH: Final = 356
"""Characters of a session token, as many as AWS's have at least."""

_TOKEN_PREFIX: Final = "FQoGZXIvYXdzE"  # noqa: S105 - no secret
"""What AWS's tokens begin with: programs that look for leaked credentials know it."""


def new_key_id(context: Context, prefix: str = LASTING_PREFIX) -> str:
    """The id of a new key, 20 characters."""
    return prefix + base64.b32encode(context.random_bytes(KEY_ID_BYTES)).decode()


def new_secret(context: Context) -> str:
    """The secret of a new key, 40 characters."""
    return base64.b64encode(context.random_bytes(SECRET_BYTES)).decode()


def new_session_token(context: Context, length: int = SESSION_TOKEN_LENGTH) -> str:
    """The token of a new temporary key, of `length` characters or as many as they have at least."""
    length = max(length, SESSION_TOKEN_LENGTH)
    return (_TOKEN_PREFIX + base64.b64encode(context.random_bytes(length)).decode())[:length]


def new_unique_id(context: Context, kind: EntityKind) -> str:
    """The unique id of a new user, group, role or policy: 21 characters, never given twice."""
    return kind.id_prefix + base64.b32encode(context.random_bytes(KEY_ID_BYTES + 1)).decode()[:UNIQUE_ID_LENGTH]
