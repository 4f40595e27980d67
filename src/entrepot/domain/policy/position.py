"""Positions: where the statements of a policy document stand in its text, by line and column.

    {"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}

begins its statement at line 1, column 38 and ends it at column 87: IAM counts from 1 and names the place behind a
bracket.

Spec: IAM API, Statement, StartPosition and EndPosition, and the example of SimulateCustomPolicy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


class Position(NamedTuple):
    """A place in a text."""

    line: int
    column: int


class Span(NamedTuple):
    """Where something begins and ends."""

    start: Position
    end: Position


def statement_spans(document: str) -> list[Span]:
    """The place of each statement of a document, which has been read before and is right."""
    found = next((place for name, place in _members(document, _skip(document, 0)) if name == "Statement"), None)
    if found is None:
        return []
    places = list(_items(document, found)) if document[found] == "[" else [found]
    return [Span(_position(document, place), _position(document, _end(document, place) - 1)) for place in places]


def _members(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Name and place of the value of each member of the object at `start`."""
    place = _skip(text, start + 1)
    while text[place] != "}":
        name, behind = _DECODER.raw_decode(text, place)
        value = _skip(text, _skip(text, behind) + 1)
        yield name, value
        place = _next(text, value)


def _items(text: str, start: int) -> Iterator[int]:
    """The place of each item of the list at `start`."""
    place = _skip(text, start + 1)
    while text[place] != "]":
        yield place
        place = _next(text, place)


def _next(text: str, value: int) -> int:
    """Behind a value and the comma after it."""
    place = _skip(text, _end(text, value))
    return _skip(text, place + 1) if text[place] == "," else place


def _end(text: str, value: int) -> int:
    return _DECODER.raw_decode(text, value)[1]


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _position(text: str, bracket: int) -> Position:
    line_start = text.rfind("\n", 0, bracket) + 1
    return Position(text.count("\n", 0, bracket) + 1, bracket - line_start + 2)
