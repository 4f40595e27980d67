"""`entrepot admin network`: subnets of private endpoints, with the networks of their clients and where to listen.

A running server heeds a change within a second or two. Endpoints themselves are made through EC2's API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.app.cli.account import DATABASE
from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json, say_table
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

if TYPE_CHECKING:
    from entrepot.domain.vpc_endpoint import VpcEndpoint
    from entrepot.domain.vpc_subnet import VpcSubnet

network = typer.Typer(help="Subnets of private endpoints: clients, addresses, names.", no_args_is_help=True)

Subnet = Annotated[str, typer.Argument(metavar="SUBNET", help="subnet-0123456789abcdef0")]
Vpc = Annotated[str, typer.Option("--vpc", metavar="VPC", help="The VPC that it is in.")]
Cidrs = Annotated[list[str], typer.Option("--cidr", metavar="CIDR", help="Network of its clients; may be repeated.")]
Addresses = Annotated[
    list[str],
    typer.Option(
        "--address",
        metavar="ADDRESS",
        help="Address of this machine, or URL, that one endpoint can listen on; may be repeated.",
    ),
]
Account = Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="Else the one of the settings.")]
Zone = Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="Availability zone that is shown.")]
Form = Annotated[str, typer.Option("--format", metavar="FORMAT", help="`hosts` or `zone`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@network.command("bind")
@with_settings((*DATABASE, "account_id", "insecure"))
def bind(
    settings: Settings,
    subnet: Subnet,
    vpc: Vpc,
    cidr: Cidrs,
    address: Addresses,
    account: Account = None,
    zone: Zone = None,
    json: Json = False,
) -> None:
    """Say where the clients of a subnet are and where its endpoints listen; in the place of what was said before."""
    with work_of("network") as work:
        owner = work.Registry(account or settings.account_id, settings.region)
        given = work.NewBinding(subnet, vpc, cidr, address, zone)
        bound, endpoints = work.bind(settings, owner, given)
        missing = [one for one in bound.addresses if not work.is_local(one)]
    if json:
        say_json(_subnet(bound, endpoints))
        return
    say(f"{bound.id} is bound: clients in {', '.join(bound.cidrs)}; {len(bound.addresses)} addresses")
    for one in missing:
        say(f"this machine does not have the address of {one}: endpoints there stay pending until it has")
    for endpoint in endpoints:
        say(f"{endpoint.id} listens on {', '.join(endpoint.addresses) or 'nothing: give more addresses'}")


@network.command("unbind")
@with_settings((*DATABASE, "account_id"))
def unbind(settings: Settings, subnet: Subnet, account: Account = None) -> None:
    """Forget what was said of a subnet: its endpoints let nobody in there any more."""
    with work_of("network") as work:
        owner = work.Registry(account or settings.account_id, settings.region)
        endpoints = work.unbind(settings, owner, subnet)
    say(f"{subnet} is not bound any more" + "".join(f"; {one.id} has no address there" for one in endpoints))


@network.command("list")
@with_settings(DATABASE)
def list_(settings: Settings, json: Json = False) -> None:
    """List the subnets that are bound, and which endpoint has which address."""
    with work_of("network") as work:
        subnets, endpoints = work.list_network(settings)
    if json:
        say_json([_subnet(one, endpoints) for one in subnets])
        return
    rows = [row for one in subnets for row in _rows(one, endpoints)]
    say_table(["ACCOUNT", "REGION", "VPC", "SUBNET", "CIDRS", "ADDRESS", "ENDPOINT", "STATE"], rows)


@network.command("dns")
@with_settings(DATABASE)
def dns(settings: Settings, form: Form = "hosts") -> None:
    """Print the names that lead to endpoints, as lines of a hosts file or as records of a zone."""
    with work_of("network") as work:
        if form not in ("hosts", "zone"):
            raise typer.BadParameter("must be hosts or zone", param_hint="--format")
        _, endpoints = work.list_network(settings)
        is_zone = form == "zone"
        lines = work.zone_lines(endpoints) if is_zone else work.hosts_lines(endpoints, work.account_ids(settings))
    for line in lines:
        say(line)


def _rows(subnet: VpcSubnet, endpoints: list[VpcEndpoint]) -> list[list[str]]:
    by_address = {address: one for one in endpoints for address in one.addresses}
    head = [subnet.owner.account_id, subnet.owner.region, subnet.vpc_id, subnet.id, ", ".join(subnet.cidrs)]
    found = [(address, by_address.get(address)) for address in subnet.addresses]
    return [[*head, address, one.id if one else "", one.state.value if one else "free"] for address, one in found]


def _subnet(subnet: VpcSubnet, endpoints: list[VpcEndpoint]) -> dict[str, Any]:
    by_address = {address: one for one in endpoints for address in one.addresses}
    found = [(address, by_address.get(address)) for address in subnet.addresses]
    return {
        "accountId": subnet.owner.account_id,
        "region": subnet.owner.region,
        "vpcId": subnet.vpc_id,
        "subnetId": subnet.id,
        "availabilityZone": subnet.zone,
        "cidrs": list(subnet.cidrs),
        "addresses": [
            {"address": address, "endpoint": one and one.id, "state": one.state.value if one else "free"}
            for address, one in found
        ],
    }
