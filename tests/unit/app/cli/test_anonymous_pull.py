"""`entrepot admin anonymous-pull`: repositories opened and closed, in a database without a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from entrepot.app import workbench
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata.access import find_epoch
from tests.support.started import start_once

Run = Callable[..., tuple[int, str]]
ARN = "arn:aws:ecr:eu-west-1:123456789012:repository/team/app"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = start_once(tmp_path / "data")

    async def create(bench: Workbench) -> None:
        repositories = RepositoryService(bench.database, bench.context, bench.keys)
        registry = Registry(settings.account_id, "eu-west-1")
        await repositories.create(registry, RepositoryName("team/app"), RepositorySettings(), {})

    workbench.run(settings, create)
    return settings


@pytest.fixture
def run(settings: Settings) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        words = ["admin", "anonymous-pull", *arguments, "--data-dir", str(settings.data_dir)]
        done = CliRunner().invoke(app, words)
        return done.exit_code, done.output

    return run


def epoch(settings: Settings) -> int | None:
    async def find(bench: Workbench) -> int | None:
        return await bench.database.read(lambda connection: find_epoch(connection, settings.account_id))

    return workbench.run(settings, find)


def test_opened_listed_and_closed(run: Run, settings: Settings) -> None:
    before = epoch(settings) or 0
    assert run("list") == (0, "")
    assert run("allow", ARN) == (0, f"everybody may pull from {ARN}\n")
    assert run("allow", ARN) == (0, f"everybody could pull from {ARN} already\n")
    assert run("list") == (0, f"{ARN}\n")
    assert json.loads(run("list", "--json")[1]) == [ARN]
    assert run("deny", ARN) == (0, f"{ARN} is no longer open to everybody\n")
    assert run("deny", ARN) == (0, f"{ARN} was not open to everybody\n")
    assert run("list", "--json") == (0, "[]\n")
    assert (epoch(settings) or 0) > before


@pytest.mark.parametrize("verb", ["allow", "deny"])
@pytest.mark.parametrize(
    ("arn", "words"),
    [
        (f"{ARN}2", "there is no repository"),
        (ARN.replace("123456789012", "210987654321"), "there is no repository"),
        ("team/app", "is not the ARN of a repository"),
        (ARN.replace("team/app", "*"), "is not the ARN of a repository"),
        (ARN.replace("arn:aws:", "arn:aws-cn:"), "is not the ARN of a repository"),
    ],
)
def test_what_there_is_not(run: Run, verb: str, arn: str, words: str) -> None:
    code, said = run(verb, arn)
    assert code == 1
    assert words in said
