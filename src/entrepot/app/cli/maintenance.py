"""`entrepot maintenance`: on, off, status; the registry takes no changes while an operator works on it."""

from __future__ import annotations

from typing import Annotated

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

SETTINGS = ("config", "data_dir", "database_url")

maintenance = typer.Typer(
    help="Refuse changes while pulls, lists and logins go on; from the next request on, on every worker.",
    no_args_is_help=True,
)

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="What clients are told.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@maintenance.command("on")
@with_settings(SETTINGS)
def on(settings: Settings, reason: Reason = "") -> None:
    """Refuse pushes, deletions and every other change; jobs and collection pause too."""
    with work_of("maintenance") as work:
        work.begin(settings, reason)
    say("maintenance is on: changes are refused, pulls and logins work; `entrepot maintenance off` ends it")


@maintenance.command("off")
@with_settings(SETTINGS)
def off(settings: Settings) -> None:
    """Take changes again."""
    with work_of("maintenance") as work:
        say("maintenance is off" if work.end(settings) else "maintenance was not on")


@maintenance.command("status")
@with_settings(SETTINGS)
def status(settings: Settings, json: Json = False) -> None:
    """Say whether changes are refused, since when and why."""
    with work_of("maintenance") as work:
        row = work.find(settings)
        since = work.since(row)
    if json:
        say_json({"on": row is not None, "since": since, "reason": row.reason if row else None})
    elif row is None:
        say("off")
    else:
        say(f"on since {since}" + (f": {row.reason}" if row.reason else ""))
