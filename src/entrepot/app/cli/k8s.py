"""`entrepot k8s`: what a Kubernetes node needs to pull from a registry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from entrepot.app.cli.output import fail, say
from entrepot.app.cli.work import client_of

if TYPE_CHECKING:
    from entrepot.clients.kubelet_config import KubeletConfig

k8s = typer.Typer(help="Let Kubernetes nodes pull.", no_args_is_help=True)

Image = Annotated[
    list[str] | None, typer.Option(metavar="PATTERN", help="Images to serve; may be repeated. Default: ECR's names.")
]
EndpointUrl = Annotated[str | None, typer.Option(metavar="URL", help="URL of the server, for ECR and STS.")]
Region = Annotated[str | None, typer.Option(metavar="REGION", help="Region for hosts that name none.")]
CaBundle = Annotated[str | None, typer.Option(metavar="FILE", help="CA of the server's certificate, on the node.")]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="AWS profile of the node.")]
Audience = Annotated[
    str | None, typer.Option(metavar="NAME", help="Let pods pull with service account tokens of this audience.")
]
RequireRole = Annotated[bool, typer.Option("--require-role", help="Serve only pods whose account names a role.")]
ConfigFile = Annotated[str | None, typer.Option(metavar="FILE", help="Where the node has this configuration.")]
Version = Annotated[str | None, typer.Option(metavar="VERSION", help="Kubernetes of the node. Default: 1.34 or newer.")]
Env = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="Further variables of the provider; may be repeated.")
]
BinDir = Annotated[str | None, typer.Option(metavar="DIR", help="Where the node has entrepot-credential-provider.")]


@k8s.command("print-config")
def print_config(  # noqa: PLR0913, PLR0917 - the parameters are the command's options
    image: Image = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    ca_bundle: CaBundle = None,
    profile: Profile = None,
    audience: Audience = None,
    require_role: RequireRole = False,
    config_file: ConfigFile = None,
    bin_dir: BinDir = None,
    kubernetes: Version = None,
    env: Env = None,
) -> None:
    """Print the kubelet's configuration of the credential provider, and the flags that name it."""
    environment = {
        "AWS_ENDPOINT_URL_ECR": endpoint_url,
        "AWS_ENDPOINT_URL_STS": endpoint_url,
        "AWS_REGION": region,
        "AWS_CA_BUNDLE": ca_bundle,
        "AWS_PROFILE": profile,
    }
    if wrong := next((pair for pair in env or () if not re.fullmatch(r"[A-Za-z_]\w*=.*", pair, re.ASCII)), None):
        fail(f"{wrong!r} is not NAME=VALUE")
    environment |= dict(pair.split("=", 1) for pair in env or ())
    given = {"images": image, "config_file": config_file, "bin_dir": bin_dir}
    with client_of("kubelet_config") as work:
        config: KubeletConfig = work.KubeletConfig(
            kubernetes=work.Kubernetes.parse(kubernetes) if kubernetes else work.NEWEST,
            environment={name: value for name, value in environment.items() if value},
            audience=audience,
            requires_role=require_role,
            **{name: value for name, value in given.items() if value},
        )
    say(config.text().rstrip())
