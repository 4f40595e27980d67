"""`entrepot admin anonymous-pull`: repositories that everybody may pull from, in the database that the settings name.

A running server heeds a change with its next request. Where pulls go without a login, the setting `bearer_hosts` says.
"""

from __future__ import annotations

from typing import Annotated

import typer

from entrepot.app.cli.account import DATABASE
from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

anonymous_pull = typer.Typer(help="Repositories that everybody may pull from, without a login.", no_args_is_help=True)

Arn = Annotated[str, typer.Argument(metavar="ARN", help="arn:aws:ecr:REGION:ACCOUNT:repository/NAME")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@anonymous_pull.command("allow")
@with_settings(DATABASE)
def allow(settings: Settings, arn: Arn) -> None:
    """Let everybody pull from a repository, on the hosts of the setting `bearer_hosts`."""
    with work_of("anonymous_pull") as work:
        is_new = work.allow(settings, arn)
    say(f"everybody may pull from {arn}" if is_new else f"everybody could pull from {arn} already")


@anonymous_pull.command("deny")
@with_settings(DATABASE)
def deny(settings: Settings, arn: Arn) -> None:
    """Let only those pull from a repository whom policies allow it."""
    with work_of("anonymous_pull") as work:
        was_open = work.deny(settings, arn)
    say(f"{arn} is no longer open to everybody" if was_open else f"{arn} was not open to everybody")


@anonymous_pull.command("list")
@with_settings(DATABASE)
def list_(settings: Settings, json: Json = False) -> None:
    """List the repositories that everybody may pull from."""
    with work_of("anonymous_pull") as work:
        found = work.list_open(settings)
    if json:
        say_json(found)
        return
    for arn in found:
        say(arn)
