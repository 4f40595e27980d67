"""Keys: the secrets that seal, sign and wrap, and what can be wrong with them.

These errors stop a start or mean damage; no request causes them, so no plane has words for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from entrepot.domain.identity import OperatorError

KEY_BYTES = 32
"""Length of every key: AES-256 and HMAC-SHA256."""

# What keys derived from the master key seal; each name is an input of the derivation.
CHECK_PURPOSE = "master-key-check"
DOMAIN_PURPOSE = "encryption-domain"
ACCESS_KEY_PURPOSE = "access-key"
KMS_PURPOSE = "kms-key"


def signing_key_purpose(purpose: str) -> str:
    """The same for signing keys of a purpose, such as `registry-token`."""
    return f"signing-key:{purpose}"


def kms_subject(key_id: str, version: int) -> str:
    """What the material of a version of a KMS key is sealed for."""
    return f"{key_id}/{version}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that MACs what we hand out; `id` travels with the MAC."""

    id: str
    secret: bytes = field(repr=False)
    signs_at: int = 0
    """Microseconds UTC: it verifies before that, and signs from then on."""


class MasterKeyMissing(Exception):
    """The database holds sealed keys, and no master key was given or a fresh one was made for it."""


class MasterKeyWrong(Exception):
    """The master key is not the one that this database was sealed with."""


class SigningKeysRotating(OperatorError):
    """The new signing keys of the rotation before do not sign yet: not every process need know them."""

    def __init__(self) -> None:
        super().__init__("the rotation before is not over: its keys do not sign yet")


class SealBroken(Exception):
    """Sealed bytes do not open: damaged, moved to another row, or sealed under another key."""

    def __init__(self, purpose: str) -> None:
        super().__init__(purpose)
        self.purpose = purpose
