"""`entrepot connect`: the names of AWS lead to the server, the system trusts it, stock clients work; and undone."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.namespace import HOSTS, LOCALHOST, SERVER_ADDRESS, SYSTEM_BUNDLE, Namespace
from tests.support.poll import wait_until
from tests.support.server import PROGRAM, ROOT_ENVIRONMENT, SECRET_ACCESS_KEY

ACCOUNT, REGION = "111122223333", "eu-west-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
LOCAL_CAS = Path("/usr/local/share/ca-certificates")


@dataclass(frozen=True, slots=True)
class Desk:
    """A user's machine: hosts file and trust store of its own."""

    directory: Path
    namespace: Namespace
    environment: Mapping[str, str]

    @property
    def hosts(self) -> Path:
        return self.directory / "hosts"

    def do(self, *command: str | Path) -> str:
        """Run a command that must succeed, trusting only what the system trusts."""
        done = self.namespace.run(command, env=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def connect(self, *options: str) -> str:
        """`entrepot connect`; what it printed."""
        return self.do(PROGRAM, "connect", *options)


@pytest.fixture
def desk(images: ImageLayout) -> Iterator[Desk]:
    """Not connected yet."""
    directory = Path(tempfile.mkdtemp(prefix="entrepot-connect-"))
    hosts, certificates, local = directory / "hosts", directory / "certs", directory / "local"
    hosts.write_text(LOCALHOST)
    shutil.copytree(SYSTEM_BUNDLE.parent, certificates, symlinks=True)
    local.mkdir()
    namespace = Namespace.open({hosts: HOSTS, certificates: SYSTEM_BUNDLE.parent, local: LOCAL_CAS})
    environment = {
        **ROOT_ENVIRONMENT,
        "HOME": str(directory),
        "ENTREPOT_ACCOUNT_ID": ACCOUNT,
        "ENTREPOT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_ENVIRONMENT["ENTREPOT_ROOT_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ECR_DISABLE_CACHE": "1",
        "REGISTRY_AUTH_FILE": str(directory / "auth.json"),
    }
    (directory / "auth.json").write_text(json.dumps({"credHelpers": {HOST: "ecr-login"}}))
    try:
        yield Desk(directory, namespace, environment)
    finally:
        namespace.close()
        shutil.rmtree(directory)


def _serve(desk: Desk) -> subprocess.Popen[bytes]:
    log = desk.directory / "printed"
    process = desk.namespace.start([PROGRAM, "serve"], env=desk.environment, log=log)
    wait_until(lambda: process.poll() is not None or "ready " in log.read_text(), what="the server")
    assert process.poll() is None, log.read_text()
    return process


def test_connected_and_undone(desk: Desk, images: ImageLayout) -> None:
    printed = desk.connect("--address", SERVER_ADDRESS)
    assert HOST in printed
    assert f"{SERVER_ADDRESS} " in desk.hosts.read_text()
    (trusted,) = (desk.directory / "local").iterdir()
    ca, bundle = trusted.read_text(), desk.directory / "certs" / SYSTEM_BUNDLE.name
    assert ca.strip() in bundle.read_text()
    server = _serve(desk)
    made = desk.do(PROGRAM.with_name("aws"), "ecr", "create-repository", "--repository-name", "app")
    assert json.loads(made)["repository"]["repositoryUri"] == f"{HOST}/app"
    pulled = desk.directory / "pulled"
    desk.do("skopeo", "copy", "--quiet", "--all", f"oci:{images.root}:multi", f"docker://{HOST}/app:1")
    desk.do("skopeo", "copy", "--quiet", "--all", f"docker://{HOST}/app:1", f"oci:{pulled}:multi")
    assert ImageLayout(pulled).tags()["multi"]["digest"] == images.tags()["multi"]["digest"]
    desk.namespace.terminate(server)

    desk.connect("--undo")
    assert desk.hosts.read_text() == LOCALHOST
    assert list((desk.directory / "local").iterdir()) == []
    assert ca.strip() not in bundle.read_text()
