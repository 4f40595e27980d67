"""Commands in the documents: programs, flags, targets and variables that exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from entrepot.app.cli.main import app
from entrepot.app.cli.welcome import REPOSITORY, welcome
from entrepot.app.config import Settings
from entrepot.app.config_load import rows
from entrepot.app.data_directory import DataDirectory
from entrepot.app.deployment import Deployment
from entrepot.app.listener import Listener
from entrepot.domain.registry_url import RegistryUrl
from tools.docs.tree import DOCS, ROOT

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```|((?:^    .*\n)+)", re.MULTILINE | re.DOTALL)
_PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
_VARIABLE = re.compile(r"ENTREPOT_[A-Z][A-Z_]*[A-Z]")
_OF_TESTS = "ENTREPOT_TEST_"


def _blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each code block; indented ones have no language."""
    for language, fenced, indented in _BLOCK.findall(page.read_text(encoding="utf-8")):
        yield language, fenced or re.sub(r"^    ", "", indented, flags=re.MULTILINE)


def _commands(page: Path, program: str) -> list[list[str]]:
    """The lines of code blocks that run a program, as words after it, and the same in `inline code`."""
    text = page.read_text(encoding="utf-8")
    lines = [line for _, block in _blocks(page) for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(rf"`({program} [^`]+)`", text)
    found = (re.match(rf"(?:sudo |[A-Z_]+=\S+ )*(?:\S*/)?{program} (.*)", line.partition("#")[0]) for line in lines)
    return [shlex.split(match[1]) for match in found if match]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_entrepot_commands_exist(page: Path) -> None:
    for words in _commands(page, "entrepot"):
        _check_command(typer.main.get_command(app), words)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert {words[0] for words in _commands(page, "make")} <= targets


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_variables_exist(page: Path) -> None:
    known = {row.env for row in rows()}
    named = {name for name in _VARIABLE.findall(page.read_text(encoding="utf-8")) if not name.startswith(_OF_TESTS)}
    assert named <= known


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_toml_is_a_configuration(page: Path, tmp_path: Path) -> None:
    for language, block in _blocks(page):
        if language == "toml":
            assert tomllib.loads(block).keys() <= Settings.model_fields.keys()


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "guides" / "getting-started.md"], ids=lambda p: p.name)
def test_first_push_is_what_the_server_prints(page: Path, tmp_path: Path) -> None:
    listener = Listener("http", "127.0.0.1", 5000)
    settings = Settings(data_dir=tmp_path)
    deployment = Deployment(settings, DataDirectory.of(settings), (listener,), RegistryUrl(listener.url))
    printed = [line.strip() for line in welcome(deployment, "entrepot", 0.5).splitlines() if line.startswith("  ")]
    assert any(REPOSITORY in line for line in printed)
    assert printed in [block.strip().splitlines() for _, block in _blocks(page)]


def _check_command(command: Any, words: list[str]) -> None:
    """Follow the words down the commands (click's, which typer carries); every flag must be one of the last."""
    while (commands := getattr(command, "commands", None)) and words and not words[0].startswith("-"):
        assert words[0] in commands, f"no command {words[0]}"
        command, words = commands[words[0]], words[1:]
    flags = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= flags | {"--help"}
