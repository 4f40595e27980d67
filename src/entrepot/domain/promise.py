"""Promises: how long a blob stays that a client was told exists, referenced or not.

Spec: storage rules, "Garbage".
"""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.limit import BLOB_PROMISE_SECONDS

_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class BlobPromise:
    """At least `seconds` from each answer; times are microseconds UTC."""

    seconds: int = BLOB_PROMISE_SECONDS

    def must_reach(self, now: int) -> int:
        """A link that ends before this must be extended before its blob is said to exist."""
        return now + self.seconds * _MICROS

    def keep_until(self, now: int) -> int:
        """Until when a link is made or extended: twice as far, so that a blob is written once in `seconds` at most."""
        return now + 2 * self.seconds * _MICROS


DEFAULT_PROMISE = BlobPromise()
