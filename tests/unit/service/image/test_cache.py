"""The cache of manifest bytes: bounded, the least recently used go first."""

from __future__ import annotations

from entrepot.domain.digest import Digest
from entrepot.domain.image import Image
from entrepot.service.image.cache import ENTRY_BYTES, ImageCache


def image(number: int, size: int = 100) -> Image:
    raw = bytes([number]) * size
    return Image(number, Digest.of(raw), "a/b", raw)


def test_the_least_recently_used_go_first() -> None:
    cache = ImageCache(3 * (100 + ENTRY_BYTES))
    for number in (1, 2, 3):
        cache.add(image(number))
    assert cache.find(1) == image(1)
    cache.add(image(4))
    assert [cache.find(number) is not None for number in (1, 2, 3, 4)] == [True, False, True, True]


def test_bytes_are_bounded_and_counted_once() -> None:
    cache = ImageCache(10_000)
    for number in range(200):
        cache.add(image(number))
        cache.add(image(number))
        assert cache.size_bytes <= 10_000
    assert cache.size_bytes == (10_000 // (100 + ENTRY_BYTES)) * (100 + ENTRY_BYTES)


def test_an_image_larger_than_the_cache_is_not_kept() -> None:
    cache = ImageCache(10_000)
    cache.add(image(1))
    cache.add(image(2, size=20_000))
    assert (cache.find(2), cache.size_bytes) == (None, 0)
