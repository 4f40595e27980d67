"""A private host without any other route pulls through endpoints; policies that name them hold for everybody else.

Spec: docs/private-endpoints.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.namespace import SERVER_ADDRESS
from tests.support.poll import wait_until
from tests.support.private_host import ADDRESSES, NETWORK, PRIVATE_ADDRESS, private_host, set_hosts
from tests.support.programs import NAMESPACES, require
from tests.support.server import PROGRAM, REGION
from tests.support.world import API_HOST, HOST, World, aws_program

VPC, SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"
REPOSITORIES = ("private/one", "private/two", "private/three")


@dataclass
class Place:
    """The world, a private host, and the endpoints between them."""

    world: World
    private: World
    api: str = ""
    dkr: str = ""

    def network(self, *words: str) -> str:
        """`entrepot admin network …` beside the server."""
        return self.world.do(PROGRAM, "admin", "network", *words, "--data-dir", self.world.directory / "data")

    def ec2(self, *words: str) -> Any:
        """`aws ec2 …` from outside."""
        printed = self.world.do(
            aws_program(), "ec2", *words, "--endpoint-url", f"https://{API_HOST}", "--output", "json"
        )
        return json.loads(printed) if printed.strip() else None

    def create(self, service: str) -> str:
        made = self.ec2(
            "create-vpc-endpoint",
            "--vpc-id",
            VPC,
            "--vpc-endpoint-type",
            "Interface",
            "--service-name",
            f"com.amazonaws.{REGION}.{service}",
            "--subnet-ids",
            SUBNET,
        )
        endpoint_id: str = made["VpcEndpoint"]["VpcEndpointId"]
        return endpoint_id

    def endpoints(self) -> list[Any]:
        found: list[Any] = self.ec2("describe-vpc-endpoints")["VpcEndpoints"]
        return found

    def are_available(self) -> bool:
        return [one["State"] for one in self.endpoints()] == ["available", "available"]

    def allow(self, *statements: dict[str, Any]) -> None:
        """Give both endpoints a policy."""
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        for endpoint in (self.api, self.dkr):
            self.ec2("modify-vpc-endpoint", "--vpc-endpoint-id", endpoint, "--policy-document", document)


@pytest.fixture
def place(world: World, images: ImageLayout) -> Iterator[Place]:
    require(*NAMESPACES, "skopeo", "curl")
    world.login("skopeo", "login")
    for repository in REPOSITORIES:
        world.push(images, "busybox", f"{world.create(repository)}:v1")
    with private_host(world) as private:
        made = Place(world, private)
        addresses = [word for one in ADDRESSES for word in ("--address", one)]
        made.network("bind", SUBNET, "--vpc", VPC, "--cidr", NETWORK, *addresses)
        made.api, made.dkr = made.create("ecr.api"), made.create("ecr.dkr")
        wait_until(made.are_available, seconds=60, what="available endpoints")
        set_hosts(private, made.network("dns"))
        yield made
        made.ec2("delete-vpc-endpoints", "--vpc-endpoint-ids", made.api, made.dkr)
        wait_until(lambda: not made.endpoints(), seconds=60, what="the end of the endpoints")
        assert private.run("curl", "-sk", "--max-time", "5", f"https://{ADDRESSES[0]}/healthz").returncode != 0
        made.network("unbind", SUBNET)
    for repository in REPOSITORIES:
        world.aws("delete-repository", "--repository-name", repository, "--force")


def pulls(host: World, repository: str) -> bool:
    """Whether `skopeo copy` brings an image to a host; what hinders it can only be a denial."""
    copied = host.run("skopeo", "copy", "--quiet", f"docker://{HOST}/{repository}:v1", f"dir:{host.scratch()}")
    assert copied.returncode == 0 or "denied" in copied.stderr.lower(), copied.stderr
    return copied.returncode == 0


def describes(host: World, repository: str) -> bool:
    """Whether `aws ecr describe-images` answers a host; what hinders it can only be a denial."""
    words = ("describe-images", "--repository-name", repository, "--region", REGION)
    answered = host.run(aws_program(), "ecr", *words)
    assert answered.returncode == 0 or "AccessDeniedException" in answered.stderr, answered.stderr
    return answered.returncode == 0


def outside(place: Place, repository: str) -> tuple[bool, bool]:
    return pulls(place.world, repository), describes(place.world, repository)


def inside(place: Place, repository: str) -> tuple[bool, bool]:
    return pulls(place.private, repository), describes(place.private, repository)


SPEAKS_AS_PROXY = """
import socket, ssl, sys
server, mine, client = sys.argv[1:]
opened = socket.create_connection((server, 443), 10, (mine, 0))
opened.sendall(f"PROXY TCP4 {client} {server} 5 443\\r\\n".encode())
try:
    print("open" if ssl._create_unverified_context().wrap_socket(opened).version() else "closed")
except (ssl.SSLError, ConnectionError, EOFError):
    print("closed")
"""
"""A client that says that it speaks for another: arguments are the server, its own address and the other's."""

ALLOWED, DENIED = (True, True), (False, False)


def test_a_private_host_pulls_and_policies_hold(place: Place) -> None:
    one, two, three = REPOSITORIES
    assert place.private.run("curl", "-sk", "--max-time", "3", f"https://{SERVER_ADDRESS}/healthz").returncode != 0
    place.private.login("skopeo", "login")
    assert inside(place, one) == outside(place, one) == ALLOWED

    statement = {"Sid": "endpoint", "Effect": "Deny", "Principal": "*", "Action": "ecr:*"}
    statement["Condition"] = {"StringNotEquals": {"aws:SourceVpce": [place.api, place.dkr]}}  # type: ignore[assignment]
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    place.world.aws("set-repository-policy", "--repository-name", one, "--policy-text", text, "--force")
    assert (inside(place, one), outside(place, one)) == (ALLOWED, DENIED)
    assert outside(place, two) == ALLOWED
    _forge(place, one)

    arns = [f"arn:aws:ecr:{REGION}:123456789012:repository/{name}" for name in (one, two)]
    everybody = {"Effect": "Allow", "Principal": "*"}
    place.allow(
        {**everybody, "Action": "ecr:*", "Resource": arns},
        {**everybody, "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    )
    assert (inside(place, one), inside(place, two), inside(place, three)) == (ALLOWED, ALLOWED, DENIED)
    assert outside(place, three) == ALLOWED
    text = text.replace("StringNotEquals", "StringEquals")
    place.private.run(aws_program(), "ecr", "set-repository-policy", "--repository-name", one, "--policy-text", text)
    root = place.private.run(aws_program(), "ecr", "delete-repository-policy", "--repository-name", one)
    assert root.returncode == 0, root.stderr


def _forge(place: Place, repository: str) -> None:
    """Somebody outside says in every way that he comes through the endpoint."""
    url = f"https://{HOST}/v2/{repository}/manifests/v1"
    login = ("-u", f"AWS:{place.world.password()}")
    status = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10")
    headers = (
        f"Host: {place.dkr}.dkr.ecr.{REGION}.vpce.amazonaws.com",
        f"X-Forwarded-For: {PRIVATE_ADDRESS}",
        f"X-Forwarded-Host: dkr.ecr.{REGION}.amazonaws.com",
        f"X-Amzn-Vpce-Id: {place.dkr}",
    )
    for header in headers:
        assert place.world.run(*status, *login, "-H", header, url).stdout == "403", header
    # The world has the addresses of the endpoints, too: its own clients come from outside of the networks.
    to_endpoint = ("--resolve", f"{HOST}:443:{ADDRESSES[1]}", "--interface", SERVER_ADDRESS)
    for proxy in ((), ("--haproxy-protocol",)):
        assert place.world.run(*status, *login, *proxy, *to_endpoint, url).stdout == "000", proxy
    for address in (ADDRESSES[1], SERVER_ADDRESS):
        answer = place.world.do(sys.executable, "-c", SPEAKS_AS_PROXY, address, SERVER_ADDRESS, PRIVATE_ADDRESS)
        assert "closed" in answer, (address, answer)
    assert place.private.run(*status, *login, url).stdout == "200"
