"""`entrepot policy explain`: what a request would be answered, and which statements of which policies decide."""

from __future__ import annotations

from typing import Annotated

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

SETTINGS = ("config", "data_dir", "database_url", "region", "aws_policies")

DENIED = 3
"""Exit code where the request would be denied."""

policy = typer.Typer(help="Access policies: who may do what, and why.", no_args_is_help=True)

Principal = Annotated[
    str,
    typer.Option(
        "--principal",
        metavar="ARN",
        help="User, session (arn:aws:sts::…:assumed-role/ROLE/NAME), role (stands for a session of it), account,"
        " unique id, robot token, or service (with --context aws:SourceArn=ARN).",
    ),
]
Action = Annotated[str, typer.Option("--action", metavar="ACTION", help="Such as ecr:PutImage.")]
Resource = Annotated[str, typer.Option("--resource", metavar="ARN", help="ARN, or * for what has no resource.")]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="KEY=VALUE", help="A condition key of the request; repeat for several values."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@policy.command("explain")
@with_settings(SETTINGS)
def explain(
    settings: Settings,
    principal: Principal,
    action: Action,
    resource: Resource,
    context: Context = None,
    json: Json = False,
) -> None:
    """Say whether a request would be allowed, and which statements decide. Nothing is done.

    Ends with 0 where it would be allowed, 3 where it would be denied, 1 where it cannot be said, 2 where the question
    is malformed.
    """
    with work_of("question") as read:
        question = read.Question.read(principal, action, resource, context or [])
    with work_of("explain") as work:
        explained = work.explain(settings, question)
    with work_of("explained") as told:
        if json:
            say_json(told.to_document(explained))
        else:
            for line in told.to_lines(explained):
                say(line)
    if not explained.is_allowed:
        raise SystemExit(DENIED)
