"""A ledger without a database: what an upload's row would say, for tests of stores alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from entrepot.store.blob.base import Reserved, Segment


@dataclass
class MemoryLedger:
    """The row of one upload whose writer never loses its lease."""

    acknowledged: list[Segment] = field(default_factory=list)
    parts: int = 0
    multipart: str | None = None

    def segments(self) -> list[Segment]:
        return self.acknowledged

    def reserve(self, parts: int, multipart: str | None = None) -> Reserved:
        self.parts += parts
        self.multipart = self.multipart or multipart
        return Reserved(self.parts - parts + 1, self.multipart)
