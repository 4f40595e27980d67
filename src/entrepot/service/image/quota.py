"""The quota of images per repository, without a counter row and without counting at every push.

A count walks one index entry per image (8 ms on SQLite and 60 ms on PostgreSQL at the limit), so it is done seldom
and before the push's transaction: after one, a worker admits an eighth of what is left, at least one image, for at
most a minute, before it counts again. Pushes cost nothing while a repository is far from full; in one that is full
only new images cost a count, new tags on those that it has do not. Pushes in the same moment, and other workers within
that minute, can exceed the quota a little; a counter row would have made every push of a repository wait for every
other.
"""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.limit import IMAGES_MAX
from entrepot.domain.registry import Registry

SHARE = 8
VALID_MICROS = 60_000_000
REPOSITORIES = 10_000
"""Allowances kept; beyond that all are forgotten and counted again."""

RepositoryAddress = tuple[Registry, str]


@dataclass(slots=True)
class _Allowance:
    images: int
    is_full: bool
    """At the last count."""
    expires_at: int


class ImageQuota:
    """How many images each repository may still get before the next count."""

    def __init__(self, limit: int = IMAGES_MAX) -> None:
        self._limit = limit
        self._allowances: dict[RepositoryAddress, _Allowance] = {}

    def is_count_due(self, repository: RepositoryAddress, now_micros: int) -> bool:
        """Whether the images of a repository must be counted before the next push."""
        allowance = self._allowances.get(repository)
        if allowance is None or allowance.expires_at <= now_micros:
            return True
        return allowance.images <= 0 and not allowance.is_full

    def learn(self, repository: RepositoryAddress, count: int, now_micros: int) -> None:
        """The images of a repository were counted."""
        if len(self._allowances) >= REPOSITORIES:
            self._allowances.clear()
        left = self._limit - count
        share = max(left // SHARE, 1) if left > 0 else 0
        self._allowances[repository] = _Allowance(share, left <= 0, now_micros + VALID_MICROS)

    def is_full(self, repository: RepositoryAddress) -> bool:
        """Whether a repository took no new image when it was last counted: count again before one is refused."""
        allowance = self._allowances.get(repository)
        return allowance is not None and allowance.is_full

    def admit(self, repository: RepositoryAddress) -> None:
        """A new image was stored."""
        if repository in self._allowances:
            self._allowances[repository].images -= 1
