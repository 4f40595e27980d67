"""Live hashes of uploads: the state of a hash cannot leave its process, so each worker keeps what it computed."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from entrepot.domain.digest import hasher

if TYPE_CHECKING:
    from hashlib import _Hash

UPLOADS_MAX = 256
"""Uploads that a worker remembers; the others are read and hashed again when they complete."""


class LiveHashes:
    """By upload: how far this worker knows its bytes to be there, and their hash if it saw them all."""

    def __init__(self, uploads_max: int = UPLOADS_MAX) -> None:
        self._uploads_max = uploads_max
        self._known: OrderedDict[str, tuple[int, _Hash | None]] = OrderedDict()

    def knows(self, upload_id: str, offset: int) -> bool:
        """Whether this worker wrote or checked the bytes up to exactly `offset`."""
        return offset == 0 or self._known.get(upload_id, (0, None))[0] == offset

    def resume(self, upload_id: str, offset: int, algorithm: str) -> _Hash | None:
        """A hash of the bytes 0..offset of one's own to go on with; None when this worker has none."""
        if offset == 0:
            return hasher(algorithm)
        known_offset, known = self._known.get(upload_id, (0, None))
        if known is None or known_offset != offset or known.name != algorithm:
            return None
        return known.copy()

    def remember(self, upload_id: str, offset: int, state: _Hash | None) -> None:
        """Note that the bytes up to `offset` are there; nobody changes `state` afterwards."""
        self._known[upload_id] = (offset, state)
        self._known.move_to_end(upload_id)
        while len(self._known) > self._uploads_max:
            self._known.popitem(last=False)

    def forget(self, upload_id: str) -> None:
        """Drop an upload that ended."""
        self._known.pop(upload_id, None)
