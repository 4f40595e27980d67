"""What is kept for as long as an access epoch stands: nothing is ever invalidated otherwise."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_MAX = 2_000
"""Callers, and resources of a kind, that a worker keeps compiled policies of: those of a session may take 40 KiB."""


class EpochCache(Generic[T]):
    """Values by key, each with the epoch that it was read at; those that were kept longest ago are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[int | None, T]] = OrderedDict()

    def get(self, key: Hashable, epoch: int | None) -> T | None:
        """The value of a key, if it was kept at this very epoch."""
        entry = self._kept.get(key)
        return entry[1] if entry is not None and entry[0] == epoch else None

    def keep(self, key: Hashable, epoch: int | None, value: T) -> None:
        """Keep a value as the newest, and forget the oldest beyond the limit."""
        self._kept[key] = epoch, value
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
