"""`entrepot admin account`: secrets only when asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from entrepot.app import admin
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import CommandError
from entrepot.domain.identity import AccessKey, Account
from entrepot.domain.principal import root_of
from entrepot.store.metadata.base import from_micros

KEY = AccessKey("AKIAEXAMPLE", root_of("210987654321"), "the/secret", is_active=True, account_epoch=1)
ACCOUNT = Account("210987654321", "second", 1, from_micros(1_700_000_000_000_000))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    monkeypatch.setattr(admin, "create_account", lambda *_: (ACCOUNT, KEY))
    monkeypatch.setattr(admin, "list_accounts", lambda _: [ACCOUNT])
    monkeypatch.setattr(admin, "root_key", _root_key)
    return Runner(tmp_path)


def _root_key(_: Settings, account_id: str, *, rotates: bool) -> AccessKey:
    if rotates:
        raise CommandError(f"there is no account {account_id}")
    return KEY


class Runner:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, *arguments: str) -> tuple[int, str]:
        words = ["admin", "account", *arguments, "--data-dir", str(self._directory)]
        done = CliRunner().invoke(app, words)
        return done.exit_code, done.output


def test_no_secret_unless_asked(run: Runner) -> None:
    for verb in ("create", "root-key"):
        code, output = run(verb, "210987654321")
        assert code == 0
        assert "AKIAEXAMPLE" in output
        assert "the/secret" not in output
        assert "the/secret" in run(verb, "210987654321", "--show")[1]


def test_json(run: Runner) -> None:
    _, output = run("root-key", "210987654321", "--show", "--json")
    assert json.loads(output) == {
        "accountId": "210987654321",
        "accessKeyId": "AKIAEXAMPLE",
        "secretAccessKey": "the/secret",
    }
    _, output = run("list", "--json")
    assert json.loads(output) == [{"id": "210987654321", "name": "second", "createdAt": "2023-11-14T22:13:20+00:00"}]


def test_table(run: Runner) -> None:
    _, output = run("list")
    assert output == "ACCOUNT       NAME    CREATED\n210987654321  second  2023-11-14 22:13:20\n"


def test_errors_end_with_one_line(run: Runner) -> None:
    assert run("root-key", "000000000000", "--rotate") == (1, "entrepot: there is no account 000000000000\n")
