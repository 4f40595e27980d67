"""The locks: every dependency of pyproject.toml at one exact version, each file with its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tools.docs.tree import ROOT

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_RUNTIME = ROOT / "requirements" / "runtime.txt"
_DEVELOPMENT = ROOT / "requirements" / "development.txt"
_PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)


def _pins(lock: Path) -> dict[str, str]:
    return dict(_PIN.findall(lock.read_text(encoding="utf-8")))


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements}


def test_runtime_lock_has_every_dependency() -> None:
    assert _names(_PROJECT["project"]["dependencies"]) <= _pins(_RUNTIME).keys()


def test_development_lock_has_every_tool() -> None:
    assert _names(_PROJECT["dependency-groups"]["dev"]) <= _pins(_DEVELOPMENT).keys()


def test_development_runs_what_users_run() -> None:
    runtime, development = _pins(_RUNTIME), _pins(_DEVELOPMENT)
    assert {name: development.get(name) for name in runtime} == runtime


def test_every_pin_has_hashes() -> None:
    for lock in (_RUNTIME, _DEVELOPMENT):
        blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8").strip())
        assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
