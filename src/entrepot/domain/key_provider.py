"""Key providers: what a KMS gives for the data keys of repositories, and how that fails.

Spec: KMS API, GenerateDataKey, Encrypt, Decrypt, DescribeKey.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from entrepot.domain.error import Unavailable


@dataclass(frozen=True, slots=True)
class ProvidedKey:
    """A key of a provider."""

    arn: str
    state: str
    """As KMS names it: `Enabled`, `Disabled`, `PendingDeletion`, …"""
    spec: str
    """`SYMMETRIC_DEFAULT`, or one that cannot wrap data keys."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key, open and wrapped."""

    plain: bytes = field(repr=False)
    """32 bytes."""
    wrapped: bytes


class KeyRefused(Unavailable):
    """The provider answered, and refused; `code` is its error's, such as `DisabledException`."""

    def __init__(self, arn: str, code: str, detail: str) -> None:
        super().__init__(arn, code, detail)
        self.arn, self.code, self.detail = arn, code, detail


class KeyProviderAway(Unavailable):
    """The provider could not be asked; `detail` says why, for the log."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
