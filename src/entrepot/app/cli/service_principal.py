"""`entrepot admin service-principal`: credentials of services, in the database that the settings name.

A running server heeds a change with its next request. A secret is shown once, when it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.app.cli.account import DATABASE, ProfileName
from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json, say_table
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

if TYPE_CHECKING:
    from entrepot.domain.service_principal import ServicePrincipal

_WIDTH = 14
"""Characters of the names of the lines."""

service_principal = typer.Typer(
    help="Credentials of services, such as lambda.amazonaws.com, that repository policies name.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As policies name the service: lambda.amazonaws.com.")]
Which = Annotated[
    str, typer.Argument(metavar="ID|NAME", help="An access key id, or a service: all of its credentials.")
]
SourceArns = Annotated[
    list[str],
    typer.Option(
        "--source-arn",
        metavar="PATTERN",
        help="For what the service may ask: an ARN, with * and ? as in policies; can be repeated.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@service_principal.command("create")
@with_settings(DATABASE)
def create(
    settings: Settings, name: Name, source_arn: SourceArns, profile: ProfileName = None, json: Json = False
) -> None:
    """Make a credential of a service; its secret is shown once, unless it is written to an AWS profile."""
    with work_of("service_principal") as work:
        made = work.create(settings, name, source_arn, profile)
    if json:
        shown = {"profile": profile} if profile else {"secretAccessKey": made.secret}
        say_json(_to_json(made.principal) | shown)
        return
    _tell(made.principal)
    say(f"written to the AWS profile {profile}" if profile else f"{'secret'.ljust(_WIDTH)}{made.secret}")


@service_principal.command("list")
@with_settings(DATABASE)
def list_(settings: Settings, json: Json = False) -> None:
    """List the credentials of all services."""
    with work_of("service_principal") as work:
        found = work.list_all(settings)
    if json:
        say_json([_to_json(one) for one in found])
        return
    table = [[one.name, one.access_key_id, " ".join(one.source_arns), _used(one)] for one in found]
    say_table(["SERVICE", "ACCESS KEY", "SOURCES", "LAST USED"], table)


@service_principal.command("show")
@with_settings(DATABASE)
def show(settings: Settings, which: Which, json: Json = False) -> None:
    """Say for what a service can ask, and when it last did."""
    with work_of("service_principal") as work:
        found = work.find(settings, which)
    if json:
        say_json([_to_json(one) for one in found])
        return
    for place, one in enumerate(found):
        if place:
            say("")
        _tell(one)


@service_principal.command("delete")
@with_settings(DATABASE)
def delete(settings: Settings, which: Which, json: Json = False) -> None:
    """Delete a credential, or all of a service; tokens made with them end at once."""
    with work_of("service_principal") as work:
        gone = work.delete(settings, which)
    if json:
        say_json([_to_json(one) for one in gone])
        return
    for one in gone:
        say(f"{one.access_key_id} of {one.name} is deleted")


def _tell(one: ServicePrincipal) -> None:
    for name, text in (
        ("service", one.name),
        ("access key", one.access_key_id),
        *(("source", source) for source in one.source_arns),
        ("created", f"{one.created_at:%Y-%m-%dT%H:%M:%SZ}"),
        ("last used", _used(one)),
    ):
        say(f"{name.ljust(_WIDTH)}{text}")


def _used(one: ServicePrincipal) -> str:
    return "never" if one.used is None else f"{one.used.at:%Y-%m-%dT%H:%M:%SZ} for {one.used.service}"


def _to_json(one: ServicePrincipal) -> dict[str, Any]:
    return {
        "service": one.name,
        "accessKeyId": one.access_key_id,
        "sourceArns": list(one.source_arns),
        "createdAt": one.created_at.isoformat(),
        "lastUsedAt": one.used.at.isoformat() if one.used else None,
    }
