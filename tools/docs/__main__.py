"""Writes the generated pages; with `--check`, says which are stale and writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tools.docs import coverage, error, setting
from tools.docs import map as code_map
from tools.docs.tree import DOCS

PAGES: dict[str, Callable[[], str]] = {
    "coverage.md": coverage.page,
    "errors.md": error.page,
    "map.md": code_map.page,
    "settings.md": setting.page,
}


def stale() -> list[str]:
    """The pages that differ from what the code says now."""
    return [name for name, page in PAGES.items() if not _is_fresh(name, page())]


def _is_fresh(name: str, text: str) -> bool:
    path = DOCS / name
    return path.exists() and path.read_text(encoding="utf-8") == text


def main(arguments: list[str]) -> int:
    """Exit status 1 when `--check` finds a stale page."""
    names = stale()
    if "--check" in arguments:
        print("\n".join(f"docs/{name} is stale: run make docs" for name in names) or "generated pages are fresh")
        return 1 if names else 0
    for name in names:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
