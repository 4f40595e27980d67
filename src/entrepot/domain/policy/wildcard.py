"""Wildcard patterns, `*` and `?`, matched in bounded time: no pattern makes a long text slow.

A pattern is made of tokens, so that a `*` that came out of a policy variable stays an ordinary character. Between two
`*` stands a chunk of fixed length; the leftmost place of each chunk is the right one, so nothing is ever tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

_COMPARISONS = 512
"""Pieces of a chunk with `?` that are compared place by place; beyond them all places are looked at at once."""

_WINDOW = 512
"""Places that are looked at at once, at least."""


class Wild(Enum):
    """The two wildcards."""

    MANY = "*"
    ONE = "?"


Token = str | Wild
"""Ordinary characters, or a wildcard."""


class Chunk(NamedTuple):
    """What stands between two `*`: literal pieces at fixed distances from the start, `?` elsewhere."""

    length: int
    pieces: tuple[tuple[int, str], ...]

    def is_at(self, text: str, start: int) -> bool:
        """Whether the chunk stands at `start`; the caller knows that it fits."""
        return all(text.startswith(piece, start + offset) for offset, piece in self.pieces)

    def find(self, text: str, start: int, end: int) -> int:
        """The leftmost place in text[start:end], or -1."""
        if start + self.length > end:
            return -1
        if not self.pieces:
            return start
        offset, longest = max(self.pieces, key=_piece_length)
        if len(longest) == self.length:
            return text.find(longest, start, end)
        last = end - self.length + offset + len(longest)
        place = start + offset
        for _ in range(1 + _COMPARISONS // len(self.pieces)):
            place = text.find(longest, place, last)
            if place < 0 or self.is_at(text, place - offset):
                return place - offset if place >= 0 else -1
            place += 1
        return _find_in_windows(self, text, place - offset, end)


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_beginning", "_chunks", "_length_min", "exact")

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._chunks = tuple(_chunks(tokens))
        self._length_min = sum(chunk.length for chunk in self._chunks)
        first, *others = (_text(chunk) for chunk in self._chunks)
        self.exact = None if others else first
        """The only text that matches, if there is only one."""
        self._beginning = first if others == [""] else None
        """What every matching text begins with, if nothing else matters: most patterns end in their only `*`."""

    def matches(self, text: str) -> bool:
        """Whether the pattern covers the whole text."""
        if self._beginning is not None:
            return text.startswith(self._beginning)
        if self.exact is not None:
            return text == self.exact
        return len(text) >= self._length_min and self._has_all_chunks(text)

    def _has_all_chunks(self, text: str) -> bool:
        first, *between = self._chunks
        if not between:
            return len(text) == first.length and first.is_at(text, 0)
        last = between.pop()
        end = len(text) - last.length
        if not first.is_at(text, 0) or not last.is_at(text, end):
            return False
        place = first.length
        for chunk in between:
            found = chunk.find(text, place, end)
            if found < 0:
                return False
            place = found + chunk.length
        return True


def tokens_of(text: str) -> Iterator[Token]:
    """Split text at its wildcards."""
    start = 0
    for place, character in enumerate(text):
        if character in "*?":
            if place > start:
                yield text[start:place]
            yield Wild(character)
            start = place + 1
    if start < len(text):
        yield text[start:]


def pattern_of(text: str) -> Pattern:
    """The pattern that a text with wildcards writes."""
    return Pattern(tokens_of(text))


def _chunks(tokens: Iterable[Token]) -> Iterator[Chunk]:
    """Split at each `*`; neighbouring literals become one piece."""
    length, pieces = 0, list[tuple[int, str]]()
    for token in tokens:
        if token is Wild.MANY:
            yield Chunk(length, tuple(pieces))
            length, pieces = 0, []
        elif token is Wild.ONE:
            length += 1
        elif token:
            if pieces and pieces[-1][0] + len(pieces[-1][1]) == length:
                offset, before = pieces.pop()
                pieces.append((offset, before + token))
            else:
                pieces.append((length, token))
            length += len(token)
    yield Chunk(length, tuple(pieces))


def _text(chunk: Chunk) -> str | None:
    """The only text that a chunk stands for, if there is only one."""
    text = chunk.pieces[0][1] if chunk.pieces else ""
    return text if len(text) == chunk.length else None


def _piece_length(piece: tuple[int, str]) -> int:
    return len(piece[1])


def _find_in_windows(chunk: Chunk, text: str, start: int, end: int) -> int:
    """The leftmost place, a window of places at a time: what was looked at beyond it would be looked at again."""
    window = max(_WINDOW, chunk.length)
    for begin in range(start, end - chunk.length + 1, window):
        found = _find_at_once(chunk, text, begin, min(end, begin + window + chunk.length - 1))
        if found >= 0:
            return found
    return -1


def _find_at_once(chunk: Chunk, text: str, start: int, end: int) -> int:
    """The leftmost place, by one number whose bits are the places still possible: each character clears some.

    Costs a shift of that number per character of the chunk, however often the chunk nearly fits.
    """
    masks = _masks("".join(piece for _, piece in chunk.pieces), text[start:end])
    places = (1 << (end - start - chunk.length + 1)) - 1
    for offset, piece in chunk.pieces:
        for distance, character in enumerate(piece, offset):
            places &= masks[character] >> distance
            if not places:
                return -1
    return start + (places & -places).bit_length() - 1


def _masks(characters: str, text: str) -> dict[str, int]:
    """For each character the number whose bit N is set where text[N] is that character."""
    bits = {character: bytearray(len(text) // 8 + 1) for character in set(characters) & set(text)}
    for place, character in enumerate(text):
        if character in bits:
            bits[character][place >> 3] |= 1 << (place & 7)
    return {character: int.from_bytes(bits.get(character, b""), "little") for character in characters}
