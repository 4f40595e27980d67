"""Sealed keys: the key of a repository as a KMS key keeps it.

Such a repository has a key of its own, which wraps the data keys of its blobs. It exists outside of memory only as
the KMS key encrypted it, with the repository's ARN as encryption context: see docs/adr/0023.

Spec: ECR user guide, "Encryption at rest".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CONTEXT_KEY = "aws:ecr:arn"
"""Of the encryption context, which names the repository."""


class EncryptionType(StrEnum):
    """How the blobs of a repository are encrypted."""

    AES256 = "AES256"
    KMS = "KMS"
    KMS_DSSE = "KMS_DSSE"


@dataclass(frozen=True, slots=True)
class SealedKey:
    """The key of one repository, and what opens it."""

    repository_id: int
    repository_arn: str
    key_arn: str
    account_id: str | None
    """The account here that the KMS key belongs to; None: it is kept by a KMS elsewhere."""
    sealed: bytes = field(repr=False)
    grant_id: str | None
    """The grant that was made with the repository."""
    epoch: int | None
    """Access epoch of that account, under which the key may be kept open."""
    is_doubled: bool
    """Whether the server's own key encrypts once more what this one encrypts."""

    @property
    def context(self) -> Mapping[str, str]:
        """The encryption context."""
        return context_of(self.repository_arn)


def context_of(repository_arn: str) -> Mapping[str, str]:
    """The encryption context of a repository."""
    return {CONTEXT_KEY: repository_arn}


class SealClosed(Exception):
    """A transaction needs the key of one of these repositories, which is not open in this process.

    Never leaves the service that runs the transaction: it opens one and runs it again.
    """

    def __init__(self, *seals: SealedKey) -> None:
        super().__init__(*seals)
        self.seals = seals
