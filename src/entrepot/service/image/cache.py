"""Manifest bytes in memory by row id: what stands under an id never changes, so nothing is ever invalidated."""

from __future__ import annotations

from collections import OrderedDict

from entrepot.domain.image import Image

ENTRY_BYTES = 512
"""What an entry costs beside the bytes of its manifest."""


class ImageCache:
    """The most recently used images, at most `limit_bytes` of them."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._images: OrderedDict[int, Image] = OrderedDict()
        self.size_bytes = 0

    def find(self, image_id: int) -> Image | None:
        """The image of a row id, if it is here."""
        image = self._images.get(image_id)
        if image is not None:
            self._images.move_to_end(image_id)
        return image

    def add(self, image: Image) -> None:
        """Keep an image, and forget those that were not used for longest."""
        if image.id in self._images:
            return
        self._images[image.id] = image
        self.size_bytes += _cost(image)
        while self.size_bytes > self._limit_bytes:
            _, oldest = self._images.popitem(last=False)
            self.size_bytes -= _cost(oldest)


def _cost(image: Image) -> int:
    return len(image.raw) + ENTRY_BYTES
