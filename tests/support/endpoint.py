"""Private endpoints before a registry in the test process: a socket of their own, and clients that come through it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from entrepot.domain.passage import Gate
from entrepot.domain.vpc_subnet import VpcSubnet
from entrepot.transport.middleware import build_server
from tests.support.aws import AwsClient, AwsWorld
from tests.support.registry import HOME
from tests.support.wire import Client, basic

VPC, SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"
SERVICE = f"com.amazonaws.{HOME.region}.ecr.dkr"


@dataclass(frozen=True, slots=True)
class OpenEndpoint:
    """An endpoint that is listened on."""

    id: str
    gate: Gate
    aws: AwsClient
    """Root of the home account, through the endpoint."""
    oci: Client

    async def allow(self, aws: AwsWorld, statements: Sequence[dict[str, Any]]) -> None:
        """Give it another policy."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        await modified(aws, self.id, PolicyDocument=document)


async def modified(aws: AwsWorld, endpoint_id: str, **parameters: Any) -> None:
    """Change an endpoint from outside of it."""
    assert (await aws.client.ec2("ModifyVpcEndpoint", VpcEndpointId=endpoint_id, **parameters)).status == 200


@asynccontextmanager
async def open_endpoint(aws: AwsWorld, *, cidrs: Sequence[str] = ("127.0.0.0/8",)) -> AsyncIterator[OpenEndpoint]:
    """Make an endpoint and listen for it; its clients are on this machine."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    subnet = VpcSubnet(HOME, SUBNET, VPC, "us-east-1a", tuple(cidrs), (address,))
    await aws.registry.services.vpc_network.bind(subnet)
    given = {"VpcId": VPC, "ServiceName": SERVICE, "VpcEndpointType": "Interface", "SubnetIds": [SUBNET]}
    made = (await aws.client.ec2("CreateVpcEndpoint", **given))["VpcEndpoint"]
    assert made["State"] == "pending"
    gate = Gate(made["VpcEndpointId"], address)
    application = aws.registry.application
    front = build_server(application.handler(address, gate), open_lane=application.open_lane(address, gate))
    server = await asyncio.get_running_loop().create_server(front, sock=listening)
    try:
        inside = Client(aws.registry.client.session, address, basic(await aws.registry.password()))
        yield OpenEndpoint(gate.endpoint_id, gate, replace(aws.client, gate=gate), inside)
    finally:
        server.close()
        await front.shutdown(1)
