"""Pages: a slice of a list and the key to go on after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def cut_page(found: Sequence[T], size: int, key_of: Callable[[T], Key]) -> Page[T]:
    """A page of `size` items, of a list that was read one item further to see whether more follow."""
    items = list(found[:size])
    return Page(items, key_of(items[-1]) if items and len(found) > size else None)


def slice_page(items: Sequence[T], request: PageRequest) -> Page[T]:
    """A page of a short list that is at hand as a whole; its keys are positions."""
    start = 0 if request.after is None else int(request.after[0])
    end = start + request.size
    return Page(list(items[start:end]), (end,) if end < len(items) else None)
