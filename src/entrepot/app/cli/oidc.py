"""`entrepot admin oidc`: how the keys of OpenID Connect providers are had, in the database that the settings name.

A running server heeds a change with its next request. Providers themselves are made and deleted through IAM.
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
    from types import ModuleType

    from entrepot.domain.web_identity import Provider

_WIDTH = 14
"""Characters of the names of the lines."""

oidc = typer.Typer(help="Keys of OpenID Connect providers, for issuers that are not public.", no_args_is_help=True)

Arn = Annotated[str, typer.Argument(metavar="ARN", help="arn:aws:iam::ACCOUNT:oidc-provider/ISSUER")]
KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="A JSON Web Key Set.")]
CaFile = Annotated[Path, typer.Argument(metavar="FILE", help="PEM certificates.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@oidc.command("list")
@with_settings(DATABASE)
def list_(settings: Settings, json: Json = False) -> None:
    """List the providers of all accounts."""
    with work_of("oidc") as work:
        rows = [_to_json(work, provider) for provider in work.list_providers(settings)]
    if json:
        say_json(rows)
        return
    table = [[row["arn"], _keys(row), "given" if row["ca"] else "the system's"] for row in rows]
    say_table(["ARN", "KEYS", "CA"], table)


@oidc.command("show")
@with_settings(DATABASE)
def show(settings: Settings, arn: Arn, json: Json = False) -> None:
    """Say for whom a provider's tokens are, and how its keys are had."""
    with work_of("oidc") as work:
        row = _to_json(work, work.find_provider(settings, arn))
    if json:
        say_json(row)
        return
    for name, text in (
        ("arn", row["arn"]),
        ("issuer", row["issuer"]),
        ("audiences", ", ".join(row["audiences"]) or "none"),
        ("keys", _keys(row)),
        ("ca", ", ".join(row["ca"]) or "the system's"),
    ):
        say(f"{name.ljust(_WIDTH)}{text}")


@oidc.command("set-jwks")
@with_settings(DATABASE)
def set_jwks(settings: Settings, arn: Arn, file: KeyFile) -> None:
    """Give the keys of an issuer that cannot be reached; it is not asked any more."""
    with work_of("oidc") as work:
        work.set_keys(settings, arn, file)
        say(f"tokens are verified with the keys {_keys(_to_json(work, work.find_provider(settings, arn)))}")


@oidc.command("unset-jwks")
@with_settings(DATABASE)
def unset_jwks(settings: Settings, arn: Arn) -> None:
    """Ask the issuer for its keys again."""
    with work_of("oidc") as work:
        work.set_keys(settings, arn, None)
    say("tokens are verified with the keys that the issuer publishes")


@oidc.command("set-ca")
@with_settings(DATABASE)
def set_ca(settings: Settings, arn: Arn, file: CaFile) -> None:
    """Say who signs the certificate of the issuer's web server; nobody else is believed then."""
    with work_of("oidc") as work:
        work.set_ca(settings, arn, file)
        row = _to_json(work, work.find_provider(settings, arn))
    say(f"the issuer's certificate must be signed by {', '.join(row['ca'])}")


@oidc.command("unset-ca")
@with_settings(DATABASE)
def unset_ca(settings: Settings, arn: Arn) -> None:
    """Believe the system's authorities for the issuer's web server again."""
    with work_of("oidc") as work:
        work.set_ca(settings, arn, None)
    say("the issuer's certificate must be signed by an authority that the system trusts")


def _to_json(work: ModuleType, provider: Provider) -> dict[str, Any]:
    return {
        "arn": provider.arn,
        "issuer": provider.url,
        "audiences": list(provider.client_ids),
        "keys": work.key_ids(provider) if provider.keys else None,
        "ca": work.certificate_names(provider),
    }


def _keys(row: dict[str, Any]) -> str:
    return "published" if row["keys"] is None else f"given: {', '.join(row['keys'])}"
