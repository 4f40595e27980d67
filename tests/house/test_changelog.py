"""Changelog fragments: named as towncrier wants, written for those who run the registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tools.docs.tree import ROOT

_FOLDER = ROOT / "changelog.d"
_KINDS = {
    kind["directory"]
    for kind in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]["type"]
}
_NAME = re.compile(r"(?:\d+|\+[a-z0-9-]+)\.([a-z]+)\.md")
_FRAGMENTS = sorted(path for path in _FOLDER.iterdir() if path.name != "README.md")


@pytest.mark.parametrize("fragment", _FRAGMENTS, ids=lambda path: path.name)
def test_fragment_is_well_formed(fragment: Path) -> None:
    name = _NAME.fullmatch(fragment.name)
    assert name is not None, "<issue>.<kind>.md, or +<word>.<kind>.md without an issue"
    assert name[1] in _KINDS
    text = fragment.read_text(encoding="utf-8")
    assert text.strip().endswith("."), "whole sentences"
    assert not text.lstrip().startswith(("-", "#")), "towncrier makes the list and the headings"
