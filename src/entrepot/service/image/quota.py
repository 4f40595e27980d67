"""The quota of images per repository, without a counter row and without counting at every push.

A count walks one index entry per image (some milliseconds at the limit), so it is done seldom: after one, a worker
admits an eighth of what is left, for at most a minute, before it counts again. Pushes cost next to nothing while a
repository is far from full, and are exact when it is nearly so; several workers can exceed the quota by what they
admit within that minute. A counter row would make every push of a repository wait for every other.
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
    expires_at: int


class ImageQuota:
    """How many images each repository may still get before the next count."""

    def __init__(self, limit: int = IMAGES_MAX) -> None:
        self.limit = limit
        self._allowances: dict[RepositoryAddress, _Allowance] = {}

    def is_count_due(self, repository: RepositoryAddress, now_micros: int) -> bool:
        """Whether the next new image of a repository must be counted."""
        allowance = self._allowances.get(repository)
        return allowance is None or allowance.images <= 0 or allowance.expires_at <= now_micros

    def admit(self, repository: RepositoryAddress) -> None:
        """A new image was stored without a count."""
        if repository in self._allowances:
            self._allowances[repository].images -= 1

    def learn(self, repository: RepositoryAddress, count: int, now_micros: int) -> None:
        """A count, the new image included, was made."""
        if len(self._allowances) >= REPOSITORIES:
            self._allowances.clear()
        self._allowances[repository] = _Allowance((self.limit - count) // SHARE, now_micros + VALID_MICROS)
