"""`entrepot robot`: registry passwords of programs, in the database that the settings name.

A running server heeds a change with its next request. A password is shown once, when it is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.app.cli.account import DATABASE
from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json, say_table
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

if TYPE_CHECKING:
    from entrepot.domain.robot_token import RobotToken

_WIDTH = 14
"""Characters of the names of the lines."""

robot = typer.Typer(help="Registry passwords for programs without AWS credentials.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the token is called; also the name of its user.")]
Role = Annotated[
    str,
    typer.Option(
        "--role", metavar="ROLE", help="Name or ARN of the role that it acts as, which trusts robot-tokens.entrepot."
    ),
]
Repositories = Annotated[
    list[str], typer.Option("--repository", metavar="PATTERN", help="Repository, with * in its name; can be repeated.")
]
Allow = Annotated[list[str], typer.Option("--allow", metavar="pull|push", help="What it is for; can be repeated.")]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="CIDR", help="From where it can be used; can be repeated. Default: anywhere."),
]
ExpiresIn = Annotated[
    str | None, typer.Option("--expires-in", metavar="SPAN", help="Such as 30m, 12h or 90d. Default: no end.")
]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="A new file for the password; not shown then.")
]
Account = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="Whose it is. Default: the account of the settings.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@robot.command("create")
@with_settings(DATABASE)
def create(  # noqa: PLR0913, PLR0917 (options of a command)
    settings: Settings,
    name: Name,
    role: Role,
    repository: Repositories,
    allow: Allow,
    address: Addresses = None,
    expires_in: ExpiresIn = None,
    password_file: PasswordFile = None,
    account: Account = None,
    json: Json = False,
) -> None:
    """Make a token; its password is shown once, unless it is written to a file."""
    with work_of("robot") as work:
        wanted = work.Wanted(name, role, repository, allow, address or [], expires_in)
        made = work.create(_of(settings, account), wanted, password_file)
        row = work.to_document(made.token)
    if json:
        say_json(row | ({"passwordFile": str(password_file)} if password_file else {"password": made.password}))
        return
    _tell(row)
    say(f"written to {password_file}" if password_file else f"{'password'.ljust(_WIDTH)}{made.password}")


@robot.command("list")
@with_settings(DATABASE)
def list_(settings: Settings, account: Account = None, json: Json = False) -> None:
    """List the tokens of an account in a region."""
    with work_of("robot") as work:
        tokens: list[RobotToken] = work.list_tokens(_of(settings, account))
        rows = [work.to_document(token) for token in tokens]
    if json:
        say_json(rows)
        return
    heads = ["NAME", "STATUS", "ROLE", "ALLOWS", "REPOSITORIES", "EXPIRES", "LAST USED"]
    say_table(heads, [_cells(row) for row in rows])


@robot.command("show")
@with_settings(DATABASE)
def show(settings: Settings, name: Name, account: Account = None, json: Json = False) -> None:
    """Say what a token is for, who made it, and when it was last used."""
    with work_of("robot") as work:
        row = work.to_document(work.find(_of(settings, account), name))
    if json:
        say_json(row)
    else:
        _tell(row)


@robot.command("revoke")
@with_settings(DATABASE)
def revoke(settings: Settings, name: Name, account: Account = None, json: Json = False) -> None:
    """Take a token back, for good."""
    with work_of("robot") as work:
        row = work.to_document(work.revoke(_of(settings, account), name))
    if json:
        say_json(row)
    else:
        say(f"{row['arn']} is refused from the next request on")


@robot.command("print-model")
def print_model() -> None:
    """Print the service model for `aws configure add-model`."""
    with work_of("robot") as work:
        say(work.read_model().rstrip())


def _of(settings: Settings, account: str | None) -> Settings:
    return settings if account is None else settings.model_copy(update={"account_id": account})


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["name"],
        row["status"],
        row["roleArn"].rpartition("/")[2],
        " ".join(row["actions"]).lower(),
        " ".join(row["repositories"]),
        _time(row["expiresAt"]) or "never",
        _used(row),
    ]


def _tell(row: dict[str, Any]) -> None:
    for name, text in (
        ("arn", row["arn"]),
        ("status", row["status"]),
        ("token id", row["tokenId"]),
        ("role", row["roleArn"]),
        ("allows", " ".join(row["actions"]).lower()),
        ("repositories", " ".join(row["repositories"])),
        ("addresses", " ".join(row["addresses"]) or "any"),
        ("made", f"{_time(row['createdAt'])} by {row['createdBy'] or 'an operator'}"),
        ("expires", _time(row["expiresAt"]) or "never"),
        ("last used", _used(row)),
    ):
        say(f"{name.ljust(_WIDTH)}{text}")


def _used(row: dict[str, Any]) -> str:
    return f"{_time(row['lastUsedAt'])} from {row['lastUsedAddress']}" if row["lastUsedAt"] else "never"


def _time(text: str | None) -> str:
    return "" if text is None else text[:19].replace("T", " ")
