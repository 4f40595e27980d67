"""Byte ranges: what a Range header asks of some bytes, and what Content-Range says of a chunk.

Spec: RFC 9110, section 14; OCI Distribution 1.1, "Pushing a blob in chunks".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.IGNORECASE | re.ASCII)
_CHUNK = re.compile(r"(?:bytes\s+)?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?", re.IGNORECASE | re.ASCII)


class Unsatisfiable(Exception):
    """None of the bytes asked for exist: 416."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [start, end) of something; `end` is exclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Bytes in it."""
        return self.end - self.start


def requested(header: str | None, size: int) -> Span | None:
    """What a Range header asks of `size` bytes; None for all of them.

    Several ranges, other units and what cannot be read are ignored, as RFC 9110 allows.

    Raises:
        Unsatisfiable: one range, and it holds none of the bytes, or ends before it starts.
    """
    if header is None or not (match := _ONE_RANGE.fullmatch(header)) or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start = int(match[1])
        end = min(size, int(match[2]) + 1) if match[2] else size
    if start >= end:
        raise Unsatisfiable
    return Span(start, end)


def chunk(header: str) -> Span | None:
    """What Content-Range says of a chunk, `0-99` or `bytes 0-99/1000`; None when it cannot be read."""
    match = _CHUNK.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        return None
    return Span(int(match[1]), int(match[2]) + 1)
