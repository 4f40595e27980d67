"""A world in which AWS's names are ours: the server with TLS on port 443, and real container clients beside it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.certificate import Certificates, make_certificates
from tests.support.image_layout import ImageLayout
from tests.support.namespace import SERVER_ADDRESS, Namespace, aws_names, names_lead_here
from tests.support.poll import wait_until
from tests.support.run_directory import leftovers, make_run_directory
from tests.support.server import ACCOUNT, AWS_ENVIRONMENT, PROGRAM, REGION, ROOT_ENVIRONMENT

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
BEARER_HOST = f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws"
"""The other name of the same registry, on which clients fetch tokens."""
API_HOST = f"api.ecr.{REGION}.amazonaws.com"
ACCOUNTS = (ACCOUNT, "210987654321")
REGIONS = (REGION, "eu-west-1")
OUTSIDE_ADDRESS = "192.0.2.20"
"""Where the server may fetch from, so that tests can put an issuer there."""
DAEMONS = Path(__file__).parents[1] / "e2e" / "clients" / "daemons"
PREFIX = "entrepot-e2e-"
CONTAINERS_STATE = Path("/var/lib/containers")
"""Where skopeo and podman of root remember what they saw; tests start without memory."""
CONTAINERS_LOGINS = Path("/run/containers")
"""Where they keep logins unless they are told otherwise."""


class CommandFailed(AssertionError):
    """A client ended with an error that the test did not expect."""


@dataclass
class World:
    """Namespaces with everything running in them."""

    directory: Path
    namespace: Namespace
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str | Path, stdin: str = "", env: Mapping[str, str] = {}, timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run a client inside, whatever its exit code."""
        return self.namespace.run(command, env=self.environment | dict(env), stdin=stdin, timeout=timeout)

    def do(self, *command: str | Path, stdin: str = "", env: Mapping[str, str] = {}, timeout: float = 180) -> str:
        """Run a client inside; what it printed.

        Raises:
            CommandFailed: exit code other than 0.
        """
        result = self.run(*command, stdin=stdin, env=env, timeout=timeout)
        if result.returncode:
            words = " ".join(str(word) for word in command)
            raise CommandFailed(f"{words}\nexit code {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result.stdout

    def aws(self, *arguments: str) -> Any:
        """`aws ecr …` with its JSON answer parsed."""
        printed = self.do(aws_program(), "ecr", *arguments, "--output", "json")
        return json.loads(printed) if printed.strip() else None

    def create(self, repository: str) -> str:
        """Create a repository; the address to push to."""
        made = self.aws("create-repository", "--repository-name", repository)
        address: str = made["repository"]["repositoryUri"]
        return address

    def password(self) -> str:
        """A registry token, as `aws ecr get-login-password` prints it."""
        return self.do(aws_program(), "ecr", "get-login-password").strip()

    def login(self, *client: str) -> None:
        """Log a client in, such as `docker login`."""
        self.do(*client, "--username", "AWS", "--password-stdin", HOST, stdin=self.password())

    def push(self, images: ImageLayout, name: str, address: str, *, env: Mapping[str, str] = {}) -> None:
        """Copy an image with skopeo as it is: it must not use layers that it knows in another compression."""
        copy = ("skopeo", "copy", "--quiet", "--all", "--preserve-digests")
        self.do(*copy, f"oci:{images.root}:{name}", f"docker://{address}", env=env)

    def digests(self, repository: str) -> dict[str, str]:
        """Tag → digest as DescribeImages tells it."""
        details = self.aws("describe-images", "--repository-name", repository)["imageDetails"]
        return {tag: detail["imageDigest"] for detail in details for tag in detail.get("imageTags", [])}

    def scratch(self) -> Path:
        """A new directory, removed with the world."""
        return Path(tempfile.mkdtemp(dir=self.directory))


def aws_program() -> Path:
    """The AWS CLI of the development environment."""
    return Path(sys.executable).with_name("aws")


@contextlib.contextmanager
def open_world() -> Iterator[World]:
    """Make the namespaces, start the server and the daemons, and end everything afterwards."""
    for leftover in leftovers(PREFIX):
        shutil.rmtree(leftover, ignore_errors=True)  # its processes died with its run, or are about to
    directory = make_run_directory(PREFIX)
    names = aws_names(ACCOUNTS, REGIONS)
    certificates = make_certificates(directory, [*names, SERVER_ADDRESS])
    mounts = {}
    for name, place in {"containers": CONTAINERS_STATE, "logins": CONTAINERS_LOGINS}.items():
        (directory / name).mkdir()
        mounts[directory / name] = place
    namespace = Namespace.open(names_lead_here(directory, names, certificates.ca) | mounts)
    world = World(directory, namespace)
    try:
        _start_server(world, certificates)
        _start_daemons(world)
        yield world
        world.run(DAEMONS, "stop", directory / "d")
    finally:
        namespace.close()
        shutil.rmtree(directory)


def server_command(data_dir: Path, options: Sequence[str]) -> list[str]:
    """`entrepot serve` with two workers."""
    return [str(PROGRAM), "serve", "--data-dir", str(data_dir), "--workers", "2", *options]


def _start_server(world: World, certificates: Certificates) -> None:
    options = ["--listen", f"https://{SERVER_ADDRESS}:443"]
    environment = ROOT_ENVIRONMENT | {
        "HOME": str(world.directory),
        "ENTREPOT_OUTBOUND_ALLOW": OUTSIDE_ADDRESS,
        "ENTREPOT_TLS_CERTIFICATE": str(certificates.certificate),
        "ENTREPOT_TLS_KEY": str(certificates.key),
        "ENTREPOT_BEARER_HOSTS": BEARER_HOST,
        "ENTREPOT_REGISTRY_URL": "https://{account}.dkr.ecr.{region}.amazonaws.com",
    }
    log = world.directory / "server.log"
    process = world.namespace.start(server_command(world.directory / "data", options), env=environment, log=log)

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()[-2000:]}")
        return world.run("curl", "-sf", f"https://{API_HOST}/healthz").returncode == 0

    wait_until(answers, what="an answer from the server inside")


def _start_daemons(world: World) -> None:
    directory = world.directory / "d"
    log = world.directory / "daemons.log"
    starting = world.namespace.start([DAEMONS, "start", directory, f"{HOST}/pause:pause"], env={}, log=log)
    if starting.wait(timeout=90):
        raise RuntimeError(f"the daemons did not start: {log.read_text()[-2000:]}")
    lines = (directory / "env").read_text().splitlines()
    world.environment |= dict(line.split("=", 1) for line in lines) | AWS_ENVIRONMENT
