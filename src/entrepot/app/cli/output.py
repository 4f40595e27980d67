"""What commands print: lines for people, JSON for programs, errors as one line each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


def say(text: str = "") -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """A line on standard error; the command goes on."""
    sys.stderr.write(f"entrepot: warning: {text}\n")


def fail(lines: Iterable[str] | str, code: int = 1) -> NoReturn:
    """Lines on standard error, then the end with an exit code."""
    for line in [lines] if isinstance(lines, str) else lines:
        sys.stderr.write(f"entrepot: {line}\n")
    raise SystemExit(code)


def say_json(value: Any) -> None:
    """Indented JSON on standard output."""
    say(json.dumps(value, indent=2))


def say_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns, as wide as their widest entry."""
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
