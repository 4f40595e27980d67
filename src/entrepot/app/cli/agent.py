"""`entrepot agent`: credentials of a role for programs of this machine, as ECS gives them to its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entrepot.app.cli.output import say
from entrepot.app.cli.work import client_of

RoleArn = Annotated[str, typer.Option(metavar="ARN", help="The role.")]
Listen = Annotated[str, typer.Option(metavar="ADDRESS:PORT", help="Loopback address to listen on.")]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write the token, readable by you only.")]
SessionName = Annotated[str, typer.Option(metavar="NAME", help="Name of the role's session.")]
Duration = Annotated[int, typer.Option(metavar="SECONDS", min=900, max=43200, help="Life of the credentials.")]
ExternalId = Annotated[str | None, typer.Option(metavar="ID", help="External id that the role's trust asks for.")]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="AWS profile that may assume the role.")]
Region = Annotated[str | None, typer.Option(metavar="REGION", help="Region. Default: of environment or profile.")]
EndpointUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="URL of the API. Default: as AWS's tools find it.")
]


def agent(  # noqa: PLR0913, PLR0917 - the parameters are the command's options
    role_arn: RoleArn,
    listen: Listen = "127.0.0.1:4779",
    token_file: TokenFile = None,
    session_name: SessionName = "entrepot-agent",
    duration_seconds: Duration = 3600,
    external_id: ExternalId = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
) -> None:
    """Give programs of this machine the credentials of a role, by AWS_CONTAINER_CREDENTIALS_FULL_URI."""
    with client_of("agent") as work:
        role = work.Role(role_arn, session_name, duration_seconds, external_id, profile, region, endpoint_url)
        work.run(role, work.Address.parse(listen), token_file, say)
