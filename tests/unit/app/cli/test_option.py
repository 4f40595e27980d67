"""Options: every setting with a flag has its option, and what is given reaches the settings."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from entrepot.app import config_load
from entrepot.app.cli.option import with_settings
from entrepot.app.config import Settings

seen: list[tuple[Settings, str]] = []


@pytest.fixture
def app() -> typer.Typer:
    seen.clear()
    app = typer.Typer()

    @app.command()
    @with_settings()
    def command(settings: Settings, own: Annotated[str, typer.Option()] = "default") -> None:
        """Do it."""
        seen.append((settings, own))

    return app


def _run(app: typer.Typer, *arguments: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "300", "TERM": "dumb"}).invoke(app, list(arguments))
    return done.exit_code, done.output


def test_every_flag_is_an_option(app: typer.Typer) -> None:
    code, output = _run(app, "--help")
    assert code == 0
    for row in config_load.rows():
        assert row.flag is None or row.flag in output


def test_values_reach_the_settings(app: typer.Typer) -> None:
    listen = ["--listen", "http://127.0.0.1:1", "--listen", "http://127.0.0.1:2"]
    code, _ = _run(app, *listen, "--workers", "3", "--insecure", "--own", "mine")
    ((settings, own),) = seen
    assert (code, own) == (0, "mine")
    assert ([one.port for one in settings.listen], settings.workers, settings.insecure) == ([1, 2], 3, True)


def test_a_switch_can_be_turned_off(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_INSECURE", "true")
    _run(app)
    _run(app, "--no-insecure")
    assert [settings.insecure for settings, _ in seen] == [True, False]


def test_zero_is_a_value(app: typer.Typer) -> None:
    _run(app, "--port", "0")
    assert seen[0][0].port == 0


def test_wrong_values_end_with_code_2(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_REGOIN", "x")
    code, output = _run(app, "--region", "nowhere")
    warning, error = output.splitlines()
    assert code == 2
    assert (
        warning == "entrepot: warning: ENTREPOT_REGOIN is not a setting and does nothing; did you mean ENTREPOT_REGION?"
    )
    assert error.startswith("entrepot: region (--region, ENTREPOT_REGION): ")
    assert seen == []
