"""`entrepot connect` on a machine of its own: names, trust and port 443 by the command alone, and all of it undone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.namespace import Namespace
from tests.support.poll import wait_until
from tests.support.programs import NAMESPACES, require
from tests.support.server import ACCOUNT, AWS_ENVIRONMENT, PROGRAM, REGION, ROOT_ENVIRONMENT
from tests.support.world import CONTAINERS_STATE

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
CHANGED = (Path("/etc/hosts"), Path("/etc/ssl/certs"), Path("/usr/local/share/ca-certificates"))
AWS = PROGRAM.with_name("aws")


class Machine:
    """Namespaces in which what `connect` changes is a copy."""

    def __init__(self, directory: Path, namespace: Namespace) -> None:
        self.directory = directory
        self.namespace = namespace
        self.environment = {"HOME": str(directory), **ROOT_ENVIRONMENT}

    def entrepot(self, *arguments: str) -> str:
        """Run a command of ours on the data directory of this machine; what it printed."""
        return self.run(PROGRAM, *arguments, "--data-dir", self.directory / "data")

    def run(self, *command: str | Path) -> str:
        done = self.namespace.run(command, env=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def state(self) -> dict[str, bytes]:
        """Every file and link that `connect` may change; Java's key store, made by a hook, holds the time of day."""
        paths = [path for copy in self.copies() for path in (copy.rglob("*") if copy.is_dir() else [copy])]
        return {str(path): _content(path) for path in paths if not path.is_dir() and path.name != "cacerts"}

    def copies(self) -> list[Path]:
        return [self.directory / path.name for path in CHANGED]


def _content(path: Path) -> bytes:
    return str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    require(*NAMESPACES, "update-ca-certificates", "skopeo", "docker-credential-ecr-login")
    for path in CHANGED:
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name, symlinks=True)
        else:
            (tmp_path / path.name).write_text("127.0.0.1 localhost\n")
    (tmp_path / "containers").mkdir()
    copies = {tmp_path / path.name: path for path in CHANGED}
    namespace = Namespace.open(copies | {tmp_path / "containers": CONTAINERS_STATE})
    try:
        machine = Machine(tmp_path, namespace)
        machine.run("update-ca-certificates")  # whatever it would change anyway
        yield machine
    finally:
        namespace.close()


def _push_with_the_credential_helper(machine: Machine, images: ImageLayout) -> None:
    """skopeo and AWS's own helper, which trust and reach only what the system does."""
    config = machine.directory / "auth.json"
    config.write_text(json.dumps({"credHelpers": {HOST: "ecr-login"}}))
    machine.environment |= {"REGISTRY_AUTH_FILE": str(config), "AWS_ECR_DISABLE_CACHE": "1"}
    pulled = machine.directory / "pulled"
    copy = ("skopeo", "copy", "--quiet", "--all", "--preserve-digests")
    machine.run(*copy, f"oci:{images.root}:multi", f"docker://{HOST}/connected:1")
    machine.run(*copy, f"docker://{HOST}/connected:1", f"oci:{pulled}:multi")
    assert ImageLayout(pulled).tags()["multi"]["digest"] == images.tags()["multi"]["digest"]


def test_the_names_lead_here_and_back(machine: Machine, images: ImageLayout) -> None:
    before = machine.state()
    told = machine.entrepot("connect")
    assert "these names now hide the real AWS" in told
    log = machine.directory / "log"
    server = machine.namespace.start(
        [PROGRAM, "serve", "--data-dir", machine.directory / "data"], env=machine.environment, log=log
    )
    wait_until(lambda: server.poll() is not None or "docker login" in log.read_text(), what="the server")
    assert f"docker login --username AWS --password-stdin {HOST}" in log.read_text()
    machine.environment |= AWS_ENVIRONMENT
    identity = json.loads(machine.run(AWS, "sts", "get-caller-identity"))
    assert identity["Account"] == ACCOUNT
    created = json.loads(machine.run(AWS, "ecr", "create-repository", "--repository-name", "connected"))
    assert created["repository"]["repositoryUri"] == f"{HOST}/connected"
    challenge = machine.run("curl", "--silent", "--include", f"https://{HOST}/v2/")
    assert "HTTP/1.1 401" in challenge
    _push_with_the_credential_helper(machine, images)
    machine.namespace.terminate(server)
    assert machine.state() != before
    machine.entrepot("connect", "--undo")
    assert machine.state() == before
