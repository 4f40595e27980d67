"""Where the project's files are, and the first line of each module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "entrepot"
DOCS = ROOT / "docs"

Kind = TypeVar("Kind")


def modules(folder: Path) -> list[Path]:
    """Every Python module below a folder, in the order of a page."""
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def module_job(path: Path) -> str | None:
    """The first line of a module's docstring, or None without one.

    Only a docstring that begins on the first line of the file counts.
    """
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    if docstring is None or not text.startswith(('"""', 'r"""')):
        return None
    return docstring.splitlines()[0].strip()


def subclasses(root: type[Kind]) -> Iterator[type[Kind]]:
    """Every class below one, depth first, in the order of definition."""
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
