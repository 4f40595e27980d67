"""`entrepot jobs`: tables for people, JSON for programs, and a job tried again in a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from entrepot.app import engine
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.domain.job import JobState
from entrepot.service.context import Context
from entrepot.service.job import JobService
from entrepot.store.metadata.migrate import migrate_sqlite


class Commands:
    """`entrepot jobs` on the database of a server that was started once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._settings = Settings(data_dir=directory)
        paths = DataDirectory.of(self._settings)
        paths.create()
        assert paths.sqlite_file is not None
        migrate_sqlite(paths.sqlite_file)

    def __call__(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["jobs", *words, "--data-dir", str(self._directory)])
        return done.exit_code, done.output

    def read(self, *words: str) -> Any:
        code, output = self(*words, "--json")
        assert code == 0
        return json.loads(output)

    def prepare(self, act: Callable[[JobService], Awaitable[None]]) -> None:
        """Do something with the queue."""

        async def run() -> None:
            directory = DataDirectory.of(self._settings)
            database = engine.open_database(self._settings, directory)
            await engine.open_keys(database, Context(), self._settings, directory, may_make_key=True)
            await act(JobService(database, Context()))
            await database.close()

        asyncio.run(run())


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """With a done, a failed and a waiting job."""
    commands = Commands(tmp_path / "data")

    async def act(jobs: JobService) -> None:
        await jobs.submit("sweep")
        await jobs.submit("copy", {"to": "eu-west-1"})
        done, failed = await jobs.claim("test", ["sweep", "copy"], 2)
        await jobs.finish(done, {"uploads": 3})
        await jobs.fail(failed, "the other side is away " * 5)
        await jobs.submit("sweep")

    commands.prepare(act)
    return commands


def test_a_table_of_the_newest_first(commands: Commands) -> None:
    code, output = commands("list")
    assert code == 0
    head, *lines = [line.split() for line in output.splitlines()]
    assert head == ["ID", "KIND", "STATE", "ATTEMPTS", "CREATED", "DUE", "ERROR"]
    assert [line[:4] for line in lines] == [
        ["3", "sweep", "pending", "0/10"],
        ["2", "copy", "pending", "1/10"],
        ["1", "sweep", "done", "1/10"],
    ]
    assert len(output.splitlines()[2]) < 140


def test_filters_and_json(commands: Commands) -> None:
    assert [job["id"] for job in commands.read("list", "--kind", "sweep")] == [3, 1]
    assert [job["id"] for job in commands.read("list", "--state", "pending", "--limit", "1")] == [3]
    (done,) = commands.read("list", "--state", "done")
    assert (done["kind"], done["result"], done["dueAt"], done["owner"]) == ("sweep", {"uploads": 3}, None, "test")
    assert commands("list", "--state", "asleep")[0] == 2


def test_one_job_in_full(commands: Commands) -> None:
    shown = commands.read("show", "2")
    assert (shown["arguments"], shown["attempts"]) == ({"to": "eu-west-1"}, 1)
    assert shown["error"].startswith("the other side is away the other")
    code, output = commands("show", "2")
    assert code == 0
    assert 'arguments  {"to": "eu-west-1"}' in output


def test_a_failed_job_is_due_again_at_once(commands: Commands) -> None:
    before = commands.read("show", "2")["dueAt"]
    after = commands.read("retry", "2")
    assert (after["state"], after["attempts"]) == ("pending", 0)
    assert after["dueAt"] < before

    async def take(jobs: JobService) -> None:
        (claim,) = await jobs.claim("test", ["copy"], 1)
        await jobs.finish(claim)

    commands.prepare(take)
    assert commands.read("show", "2")["state"] == JobState.DONE


def test_what_cannot_be_done_is_one_line(commands: Commands) -> None:
    assert commands("retry", "1") == (
        1,
        "entrepot: the job 1 is done: only dead and pending jobs can be tried again\n",
    )
    assert commands("show", "99") == (1, "entrepot: there is no job 99\n")
