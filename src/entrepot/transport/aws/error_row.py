"""Rows of the tables of errors: code, words, status and members of one failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a code, the words made from the error's fields, and extra members."""

    code: str
    words: Callable[[Any], str]
    status: int = 400
    members: Callable[[Any], dict[str, Any]] = lambda _: {}
    reason: Callable[[Any], str] | None = None
    """What to tell besides, where AWS's words leave people guessing."""
    code_of: Callable[[Any], str] | None = None
    """Of errors with a code for each kind of thing; `code` stands for those of no kind."""
