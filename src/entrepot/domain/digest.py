"""Digests: the address of some bytes by their hash.

Spec: OCI Image 1.1, "Digests"; ECR API, LayerDigest.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from entrepot.domain.error import DigestInvalid

if TYPE_CHECKING:
    from hashlib import _Hash

HEX_LENGTH = {"sha256": 64, "sha512": 128}
_HEX = re.compile(r"[a-f0-9]+")


@dataclass(frozen=True, slots=True)
class Digest:
    """The address of some bytes: an algorithm and the lower-case hex of their hash."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `algorithm:hex`.

        Raises:
            DigestInvalid: unknown algorithm, wrong length, or upper-case hex.
        """
        algorithm, separator, encoded = text.partition(":")
        if not separator or HEX_LENGTH.get(algorithm) != len(encoded) or not _HEX.fullmatch(encoded):
            raise DigestInvalid(text)
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Self:
        """Hash `data`, which is held in memory."""
        return cls(algorithm, hasher(algorithm, data).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def hasher(algorithm: str, data: bytes = b"") -> _Hash:
    """Start a hash.

    Raises:
        DigestInvalid: an algorithm that we do not serve.
    """
    if algorithm not in HEX_LENGTH:
        raise DigestInvalid(algorithm)
    return hashlib.new(algorithm, data)


EMPTY_SHA256 = Digest.of(b"")
