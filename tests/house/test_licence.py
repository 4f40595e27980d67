"""Licences of what users install with entrepot: permissive ones, and exceptions with their reason."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata

import pytest

from tools.docs.tree import ROOT

_NAMES = re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements" / "runtime.txt").read_text("utf-8"), re.MULTILINE)
_PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation")
_EXCEPTIONS = {
    "psycopg": "LGPL-3.0: used as a library, unchanged",
    "psycopg-binary": "LGPL-3.0: likewise",
    "python-dateutil": "says Dual License: Apache-2.0 or BSD",
}
_ELSEWHERE = {"colorama", "tzdata"}
"""Needed on other systems only, so perhaps not installed."""


@pytest.mark.parametrize("name", _NAMES)
def test_licence_lets_everybody_use_it(name: str) -> None:
    try:
        facts = metadata(name)
    except PackageNotFoundError:
        assert name in _ELSEWHERE
        return
    classifiers = [text for text in facts.get_all("Classifier", []) if text.startswith("License ::")]
    said = " ".join([*facts.get_all("License-Expression", []), *facts.get_all("License", []), *classifiers])
    assert name in _EXCEPTIONS or _PERMISSIVE.search(said), said[:200]


def test_exceptions_are_still_needed() -> None:
    assert _EXCEPTIONS.keys() <= set(_NAMES)
