"""One append to S3: parts of a multipart upload while bytes come, and an object of its own for what is left.

Bytes gather in a spool file until a part is full. What is left of an append, less than a part, becomes a loose
object; later appends leave room for the loose objects before them at the front of their file, and fetch them into
it when a part gets full or there are too many. So no bytes are sent twice but those of loose objects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from entrepot.domain.error import LimitExceeded
from entrepot.store.blob.base import Appended, Ledger, Segment
from entrepot.store.blob.s3.spool import Region, SpoolFile
from entrepot.store.blob.s3.staging import StagingArea

LOOSE_MAX = 16
"""Loose objects of one upload; an append that would make more joins them."""

IN_FLIGHT_MAX = 2
"""Parts of one append that are sent while the next one gathers."""


PARTS_MAX = 10_000
"""Spec: Amazon S3, "Multipart upload limits"."""


def check_part_number(number: int) -> None:
    """Refuse a number that S3 does not take.

    Raises:
        LimitExceeded
    """
    if number > PARTS_MAX:
        raise LimitExceeded(f"An upload can have at most {PARTS_MAX} parts in the store, lost ones included")


class S3Writer:
    """A writer whose parts have numbers that its row handed out, so that no other writer can overwrite them."""

    def __init__(
        self,
        area: StagingArea,
        storage_key: str,
        size_bytes: int,
        part_bytes: int,
        name: str,
        ledger: Ledger,
        loose: Sequence[Segment],
    ) -> None:
        self._area, self._storage_key, self._name, self._ledger = area, storage_key, name, ledger
        self._part_bytes = part_bytes
        self._size_bytes = size_bytes
        self._loose = tuple(loose)
        self._hole_bytes = sum(piece.stored_bytes for piece in loose)
        self._filled = self._hole_bytes
        self._file: SpoolFile | None = None
        self._replaced: tuple[Segment, ...] = ()
        self._parts: deque[tuple[SpoolFile, Future[Segment]]] = deque()
        self._sent: list[Segment] = []
        self._numbers: list[int] = []
        self._handed_out = 0
        self._multipart: str | None = None

    def write(self, data: memoryview) -> None:
        self._area.spool.check_room()
        self._size_bytes += len(data)
        while data:
            piece = data[: self._part_bytes - self._filled]
            self._spool().write(self._filled, piece)
            self._filled += len(piece)
            data = data[len(piece) :]
            if self._filled == self._part_bytes:
                self._send_part()

    def finish(self) -> Appended:
        while self._parts:
            self._settle_oldest()
        self._ledger.reserve(0)  # a writer that lost stages nothing now that nobody would remove
        segments = (*self._sent, *self._write_loose())
        self.close()
        return Appended(segments, None, self._size_bytes, self._replaced)

    def close(self) -> None:
        while self._parts:
            file, sending = self._parts.popleft()
            sending.cancel() or sending.exception()
            file.close()
        if self._file is not None:
            self._file.close()
        self._file = None

    def _spool(self) -> SpoolFile:
        if self._file is None:
            self._file = self._area.spool.file()
        return self._file

    def _fill_hole(self) -> None:
        """Fetch the loose objects before this append into the room left for them."""
        at = 0
        for piece in self._loose:
            self._area.fetch(self._storage_key, piece, self._spool(), at)
            at += piece.stored_bytes
        self._replaced, self._loose, self._hole_bytes = self._loose, (), 0

    def _send_part(self) -> None:
        self._fill_hole() if self._loose else None
        file, number = self._spool(), self._take_number()
        assert self._multipart is not None  # noqa: S101 - for the type
        self._file, self._filled = None, 0
        region = Region(file, 0, self._part_bytes)
        self._parts.append((file, self._area.start_part(self._storage_key, self._multipart, number, region)))
        if len(self._parts) > IN_FLIGHT_MAX:
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        file, sending = self._parts.popleft()
        try:
            self._sent.append(sending.result())
        finally:
            file.close()

    def _take_number(self) -> int:
        """The number of the next part; the more were needed, the more are reserved at once: a fifth may be wasted."""
        if not self._numbers:
            count = 1 + self._handed_out // 4
            reserved = self._ledger.reserve(count)
            check_part_number(reserved.first_part)
            self._multipart = reserved.multipart or self._area.begin_multipart(self._storage_key, self._ledger)
            self._numbers = [*range(reserved.first_part, min(reserved.first_part + count, PARTS_MAX + 1))]
            self._handed_out += count
        return self._numbers.pop(0)

    def _write_loose(self) -> tuple[Segment, ...]:
        if self._filled == self._hole_bytes:
            return ()
        if len(self._loose) >= LOOSE_MAX:
            self._fill_hole()
        region = Region(self._spool(), self._hole_bytes, self._filled - self._hole_bytes)
        return (self._area.put_piece(self._storage_key, f"{self._name}.segment", region),)
