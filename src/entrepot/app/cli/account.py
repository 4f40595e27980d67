"""`entrepot admin account`: accounts and their root access keys, in the database that the settings name.

A running server sees a change with its next request. Secrets are printed only with `--show`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json, say_table
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

if TYPE_CHECKING:
    from types import ModuleType

    from entrepot.domain.identity import AccessKey

DATABASE = ("config", "data_dir", "database_url", "region")

account = typer.Typer(help="Accounts and their root access keys.", no_args_is_help=True)

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="12 digits.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Show = Annotated[bool, typer.Option("--show", help="Print the secret too.")]
ProfileName = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="AWS profile to write the key to.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="What people call the account.")]
Rotate = Annotated[bool, typer.Option("--rotate", help="First replace the key by a new one; old passwords end.")]


@account.command("create")
@with_settings(DATABASE)
def create(
    settings: Settings,
    account_id: AccountId,
    name: Name = "",
    profile: ProfileName = None,
    show: Show = False,
    json: Json = False,
) -> None:
    """Make an account with a root access key."""
    with work_of("admin") as admin:
        made, key = admin.create_account(settings, account_id, name or account_id)
        _tell(admin, settings, made.id, key, _Wanted(profile, show, json))


@account.command("list")
@with_settings(DATABASE)
def list_(settings: Settings, json: Json = False) -> None:
    """List the accounts."""
    with work_of("admin") as admin:
        accounts = admin.list_accounts(settings)
    if json:
        say_json([{"id": one.id, "name": one.name, "createdAt": one.created_at.isoformat()} for one in accounts])
        return
    say_table(["ACCOUNT", "NAME", "CREATED"], [[a.id, a.name, f"{a.created_at:%Y-%m-%d %H:%M:%S}"] for a in accounts])


@account.command("root-key")
@with_settings(DATABASE)
def root_key(
    settings: Settings,
    account_id: AccountId,
    profile: ProfileName = None,
    rotate: Rotate = False,
    show: Show = False,
    json: Json = False,
) -> None:
    """Show the root access key of an account, write it to a profile, or replace it."""
    with work_of("admin") as admin:
        key = admin.root_key(settings, account_id, rotates=rotate)
        _tell(admin, settings, account_id, key, _Wanted(profile, show, json))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Where the key goes."""

    profile: str | None
    shows_secret: bool
    is_json: bool


def _tell(admin: ModuleType, settings: Settings, account_id: str, key: AccessKey, wanted: _Wanted) -> None:
    if wanted.profile:
        admin.write_key(settings, wanted.profile, key.id, key.secret)
    shown = {"accountId": account_id, "accessKeyId": key.id}
    if wanted.shows_secret:
        shown["secretAccessKey"] = key.secret
    if wanted.is_json:
        say_json(shown | ({"profile": wanted.profile} if wanted.profile else {}))
        return
    for name, value in shown.items():
        say(f"{name}  {value}")
    if wanted.profile:
        say(f"written to the AWS profile {wanted.profile}")
    elif not wanted.shows_secret:
        say("the secret: --show prints it, --profile NAME writes it to an AWS profile")
