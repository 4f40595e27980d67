"""`entrepot login`: docker, podman, skopeo, helm and oras logged in with AWS credentials, in one command."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from entrepot.app.cli.output import say, warn
from entrepot.app.cli.work import client_of

if TYPE_CHECKING:
    from entrepot.clients.login import Done

_PROGRAM = "docker-credential-entrepot"

Host = Annotated[str | None, typer.Argument(help="Registry to log in to. Default: the one that the server names.")]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="AWS profile. Default: AWS's usual chain.")]
Region = Annotated[str | None, typer.Option(metavar="REGION", help="Region. Default: of host, environment or profile.")]
EndpointUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="URL of the API. Default: as AWS's tools find it.")
]
Helper = Annotated[bool, typer.Option("--helper", help="Set up the credential helper instead: no login ever ends.")]


def login(
    host: Host = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    helper: Helper = False,
) -> None:
    """Log docker and its kin in to a registry with AWS credentials."""
    with client_of("login") as work:
        wish = work.Wish(host, profile, region, endpoint_url)
        done: Done = work.set_up_helper(wish) if helper else work.log_in(wish)
    if done.expires_at:
        say(f"{done.host}: logged in until {done.expires_at:%Y-%m-%d %H:%M} UTC, kept by {done.where}")
        return
    say(f"{done.host}: {done.where} names the helper {_PROGRAM}")
    if shutil.which(_PROGRAM) is None:
        warn(f"{_PROGRAM} is not on the PATH, where docker looks for it")
