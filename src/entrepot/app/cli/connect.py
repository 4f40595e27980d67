"""`entrepot connect`: AWS-shaped names with TLS on this machine, and back."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import fail, say
from entrepot.app.config import Settings

Accounts = Annotated[
    list[str] | None,
    typer.Option(
        "--account", metavar="ACCOUNT", help="Account whose names lead here; may be repeated. Default: the first."
    ),
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--in-region", metavar="REGION", help="Region whose names lead here; may be repeated. Default: `region`."
    ),
]
Address = Annotated[str, typer.Option(metavar="ADDRESS", help="Address that the names get and TLS is served on.")]
TlsPort = Annotated[
    int, typer.Option("--tls-port", metavar="PORT", min=1, max=65535, help="Port of TLS; clients expect 443.")
]
HostsFile = Annotated[Path, typer.Option(metavar="FILE", help="File that gets the names.")]
Print = Annotated[bool, typer.Option("--print", help="Print the hosts lines instead of writing them.")]
NoTrust = Annotated[bool, typer.Option("--no-trust", help="Leave the system's trust store alone.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take everything back.")]


@with_settings(("config", "data_dir", "account_id", "region"))
def connect(  # noqa: PLR0913, PLR0917 - the parameters are the command's options
    settings: Settings,
    account: Accounts = None,
    in_region: Regions = None,
    address: Address = "127.0.0.1",
    tls_port: TlsPort = 443,
    hosts_file: HostsFile = Path("/etc/hosts"),
    print_: Print = False,
    no_trust: NoTrust = False,
    undo: Undo = False,
) -> None:
    """Make the server reachable under the names of Amazon ECR, with TLS, on this machine only."""
    work = importlib.import_module("entrepot.app.connect.connect")
    try:
        if undo:
            lines = work.undo(settings)
        else:
            wish = work.Wish(
                accounts=tuple(account or [settings.account_id]),
                regions=tuple(in_region or [settings.region]),
                address=address,
                port=tls_port,
                hosts_file=None if print_ else hosts_file,
                adds_trust=not no_trust,
            )
            lines = work.connect(settings, wish)
    except work.ConnectError as error:
        fail(str(error))
    for line in lines:
        say(line)
