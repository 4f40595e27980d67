"""`entrepot admin network`: what is typed is checked, kept and shown, in a database without a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from entrepot.app import workbench
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import SERVICES, EndpointOptions, EndpointType
from entrepot.service.vpc.endpoint import NewVpcEndpoint, VpcEndpointService
from tests.support.started import start_once

Run = Callable[..., tuple[int, str]]
VPC, SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"
BIND = ("bind", SUBNET, "--vpc", VPC, "--cidr", "10.9.0.0/24")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return start_once(tmp_path / "data")


@pytest.fixture
def run(settings: Settings) -> Run:
    def run(*arguments: object) -> tuple[int, str]:
        words = ["admin", "network", *map(str, arguments), "--data-dir", str(settings.data_dir)]
        done = CliRunner().invoke(app, words)
        return done.exit_code, done.output

    return run


def create(settings: Settings, service: str, *, has_private_dns: bool = True) -> str:
    async def work(bench: Workbench) -> str:
        new = NewVpcEndpoint(
            Registry(settings.account_id, settings.region),
            VPC,
            SERVICES[service],
            EndpointType.INTERFACE,
            subnet_ids=(SUBNET,),
            options=EndpointOptions(has_private_dns=has_private_dns),
        )
        return (await VpcEndpointService(bench.database, bench.context).create(new)).endpoint.id

    return workbench.run(settings, work)


def test_what_is_bound_is_shown(settings: Settings, run: Run) -> None:
    early = create(settings, "ecr.api")
    code, text = run(*BIND, "--address", "10.9.0.10", "--address", "https://[fd00::7]:8443", "--json")
    assert code == 0, text
    bound = json.loads(text)
    assert (bound["vpcId"], bound["cidrs"], bound["availabilityZone"]) == (VPC, ["10.9.0.0/24"], "us-east-1a")
    assert [(one["address"], one["endpoint"]) for one in bound["addresses"]] == [
        ("https://10.9.0.10", early),
        ("https://[fd00::7]:8443", None),
    ]
    late = create(settings, "ecr.dkr", has_private_dns=False)
    code, text = run("list")
    assert code == 0
    assert early in text
    assert late in text
    hosts = sorted(run("dns")[1].splitlines())  # they come in the order of their ids
    assert hosts == [
        f"10.9.0.10 {early}.api.ecr.us-east-1.vpce.amazonaws.com api.ecr.us-east-1.amazonaws.com",
        f"fd00::7 {late}.dkr.ecr.us-east-1.vpce.amazonaws.com",
    ]
    assert "api.ecr.us-east-1.amazonaws.com. 60 IN A 10.9.0.10" in run("dns", "--format", "zone")[1]
    assert f"{late}.dkr.ecr.us-east-1.vpce.amazonaws.com. 60 IN AAAA fd00::7" in run("dns", "--format", "zone")[1]

    assert run("unbind", SUBNET)[0] == 0
    assert json.loads(run("list", "--json")[1]) == []
    assert run("dns")[1] == ""
    code, text = run("unbind", SUBNET)
    assert (code, "is not bound" in text) == (1, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("bind", "subnet-1", "--vpc", VPC, "--cidr", "10.0.0.0/8", "--address", "10.0.0.1"), "subnet-1 is not the id"),
        (("bind", SUBNET, "--vpc", "x", "--cidr", "10.0.0.0/8", "--address", "10.0.0.1"), "x is not the id of a vpc"),
        (("bind", SUBNET, "--vpc", VPC, "--cidr", "10.0.0.1/8", "--address", "10.0.0.1"), "host bits set"),
        (("bind", SUBNET, "--vpc", VPC, "--cidr", "here", "--address", "10.0.0.1"), "does not appear to be"),
        ((*BIND, "--address", "example.com"), "neither an IP address"),
        ((*BIND, "--address", "http://10.9.0.10"), "plain HTTP that other machines reach"),
        ((*BIND, "--address", "https://10.9.0.10:0"), "a port of its own"),
        ((*BIND, "--address", "0.0.0.0"), "a port of its own"),  # noqa: S104 (refused)
        ((*BIND, "--address", "10.9.0.10", "--account", "999999999999"), "does not exist"),
    ],
)
def test_what_cannot_be_bound(run: Run, words: tuple[str, ...], reason: str) -> None:
    code, text = run(*words)
    assert code == 1, text
    assert reason in " ".join(text.split())
    assert json.loads(run("list", "--json")[1]) == []
