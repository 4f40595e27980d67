"""Bytes in memory by row id: what stands under an id never changes, so nothing is ever invalidated.

Whether a request may have them, and whether the row is still there, is for its own read of the database to say.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")

ENTRY_BYTES = 512
"""What an entry costs beside its bytes."""


class RowCache(Generic[T]):
    """The most recently used values, at most `limit_bytes` of them."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._values: OrderedDict[int, tuple[T, int]] = OrderedDict()
        self.size_bytes = 0

    def find(self, row_id: int) -> T | None:
        """The value of a row id, if it is here."""
        kept = self._values.get(row_id)
        if kept is None:
            return None
        self._values.move_to_end(row_id)
        return kept[0]

    def add(self, row_id: int, value: T, size_bytes: int) -> None:
        """Keep a value with that many bytes, and forget those that were not used for longest."""
        if row_id in self._values:
            return
        cost = size_bytes + ENTRY_BYTES
        self._values[row_id] = value, cost
        self.size_bytes += cost
        while self.size_bytes > self._limit_bytes:
            _, (_, oldest_cost) = self._values.popitem(last=False)
            self.size_bytes -= oldest_cost
