"""Pages: a slice of a list and the key to go on after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many items, and after which key (exclusive; None starts at the beginning)."""

    size: int
    after: Key | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the key of the last one if more follow."""

    items: list[T]
    next_key: Key | None = None
