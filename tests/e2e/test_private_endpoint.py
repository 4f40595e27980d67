"""A private host without any other route pulls through endpoints; policies that name them hold for everybody else.

Spec: docs/private-endpoints.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.namespace import SERVER_ADDRESS
from tests.support.page import shell_script
from tests.support.poll import wait_until
from tests.support.private_host import ADDRESSES, PRIVATE_ADDRESS, private_host, set_hosts
from tests.support.programs import NAMESPACES, require
from tests.support.server import PROGRAM, REGION
from tests.support.world import API_HOST, HOST, World, aws_program

REPOSITORIES = ("private/one", "private/two", "private/three")


PAGE = "private-endpoints.md"
MAKE = ("Say where the network is", "Make the endpoints", "Names")
KEEP = '\necho "vpc=$vpc subnet=$subnet api=$api dkr=$dkr" > names\n'
"""Remembers what later sections of the page need."""


@dataclass
class Place:
    """The world, a private host, and the endpoints between them."""

    world: World
    private: World
    directory: Path

    def follow(self, *sections: str) -> None:
        """Do what the page says."""
        environment = {
            "AWS_ENDPOINT_URL_EC2": f"https://{API_HOST}",
            "ENTREPOT_DATA_DIR": str(self.world.directory / "data"),
            "HOME": str(self.directory),
            "PATH": f"{PROGRAM.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        known = "touch names; . ./names\n"
        script = f"cd {self.directory}\n{known}{shell_script(PAGE, *sections)}{KEEP}"
        self.world.do("bash", "-c", script, env=environment)

    @property
    def endpoints(self) -> tuple[str, str]:
        """Of the API and of images."""
        names = dict(word.split("=") for word in (self.directory / "names").read_text().split())
        return names["api"], names["dkr"]

    def ec2(self, *words: str) -> Any:
        """`aws ec2 …` from outside."""
        printed = self.world.do(
            aws_program(), "ec2", *words, "--endpoint-url", f"https://{API_HOST}", "--output", "json"
        )
        return json.loads(printed) if printed.strip() else None

    def close(self) -> None:
        """Delete the endpoints, and see that nobody comes in any more."""
        self.ec2("delete-vpc-endpoints", "--vpc-endpoint-ids", *self.endpoints)
        wait_until(lambda: not self.ec2("describe-vpc-endpoints")["VpcEndpoints"], seconds=60, what="their end")
        assert self.private.run("curl", "-sk", "--max-time", "5", f"https://{ADDRESSES[0]}/healthz").returncode != 0


@pytest.fixture
def place(world: World, images: ImageLayout) -> Iterator[Place]:
    """The page was followed as far as the names."""
    require(*NAMESPACES, "skopeo", "curl")
    world.login("skopeo", "login")
    for repository in REPOSITORIES:
        world.push(images, "busybox", f"{world.create(repository)}:v1")
    with private_host(world) as private:
        made = Place(world, private, world.scratch())
        made.follow(*MAKE)
        set_hosts(private, (made.directory / "hosts").read_text())
        yield made
        made.close()
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


def gets(host: World, repository: str) -> bool:
    """Whether the API gives an image to a host; what hinders it can only be a denial."""
    words = ("batch-get-image", "--repository-name", repository, "--image-ids", "imageTag=v1")
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
    assert gets(place.private, one)

    place.follow("Let only the endpoints in")
    assert pulls(place.private, one)
    assert not pulls(place.world, one)
    assert not gets(place.world, one)
    assert outside(place, two) == ALLOWED
    _forge(place, one)

    place.follow("Limit what goes through")
    assert (inside(place, one), inside(place, two), inside(place, three)) == (ALLOWED, ALLOWED, DENIED)
    assert outside(place, three) == ALLOWED


def _forge(place: Place, repository: str) -> None:
    """Somebody outside says in every way that he comes through the endpoint."""
    url = f"https://{HOST}/v2/{repository}/manifests/v1"
    _, dkr = place.endpoints
    login = ("-u", f"AWS:{place.world.password()}")
    status = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10")
    headers = (
        f"Host: {dkr}.dkr.ecr.{REGION}.vpce.amazonaws.com",
        f"X-Forwarded-For: {PRIVATE_ADDRESS}",
        f"X-Forwarded-Host: dkr.ecr.{REGION}.amazonaws.com",
        f"X-Amzn-Vpce-Id: {dkr}",
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
