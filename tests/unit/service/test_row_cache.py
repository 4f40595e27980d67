"""The cache of bytes by row id: bounded, the least recently used go first."""

from __future__ import annotations

from entrepot.service.row_cache import ENTRY_BYTES, RowCache

SIZE = 100


def add(cache: RowCache[str], number: int, size: int = SIZE) -> None:
    cache.add(number, f"value {number}", size)


def test_the_least_recently_used_go_first() -> None:
    cache = RowCache[str](3 * (SIZE + ENTRY_BYTES))
    for number in (1, 2, 3):
        add(cache, number)
    assert cache.find(1) == "value 1"
    add(cache, 4)
    assert [cache.find(number) is not None for number in (1, 2, 3, 4)] == [True, False, True, True]


def test_bytes_are_bounded_and_counted_once() -> None:
    cache = RowCache[str](10_000)
    for number in range(200):
        add(cache, number)
        add(cache, number)
        assert cache.size_bytes <= 10_000
    assert cache.size_bytes == (10_000 // (SIZE + ENTRY_BYTES)) * (SIZE + ENTRY_BYTES)


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = RowCache[str](10_000)
    add(cache, 1)
    add(cache, 2, size=20_000)
    assert (cache.find(2), cache.size_bytes) == (None, 0)
