"""Every text of the project: no path of one machine, and links that lead somewhere."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from tempfile import gettempdir

import pytest

from tools.docs.tree import ROOT

_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_CLIMB = re.compile(r"(?:\.\./)+(\w[\w.-]*)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)


@cache
def _texts() -> list[Path]:
    """Every file that git knows or would add, if it is text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [path for path in (ROOT / name for name in listed) if path.is_file() and b"\0" not in path.read_bytes()]


def _pages() -> list[Path]:
    return [path for path in _texts() if path.suffix == ".md"]


def _has_neighbours_of_ours() -> bool:
    """Whether the folder beside the project means something here: not a folder that everybody has."""
    return ROOT.parent not in {Path(gettempdir()), Path.home(), *map(Path, ("/", "/opt", "/srv", "/home"))}


def test_no_path_of_this_machine() -> None:
    private = [f"{ROOT}/", *([f"{ROOT.parent}/"] if _has_neighbours_of_ours() else [])]
    found = {
        f"{path.relative_to(ROOT)}: {folder}"
        for path in _texts()
        for folder in private
        if folder in path.read_text(encoding="utf-8")
    }
    assert found == set()


def test_no_path_to_what_stands_beside_the_project() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in _texts()
        for name in _CLIMB.findall(path.read_text(encoding="utf-8"))
        if _has_neighbours_of_ours() and name != ROOT.name and (ROOT.parent / name).exists()
    }
    assert found == set()


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = [target for target in _LINK.findall(prose) if "://" not in target and not _exists(page, target)]
    assert broken == []


def _exists(page: Path, target: str) -> bool:
    file, _, anchor = target.partition("#")
    destination = (page.parent / file).resolve() if file else page
    if not destination.is_relative_to(ROOT) or not destination.exists():
        return False
    return not anchor or anchor in _anchors(destination)


def _anchors(page: Path) -> set[str]:
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in _HEADING.findall(prose)}
