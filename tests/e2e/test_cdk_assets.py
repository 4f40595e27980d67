"""`cdk-assets` publishes a docker image asset, finding the registry by AWS's names alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cache import cached, fingerprint
from tests.support.server import ACCOUNT, REGION
from tests.support.world import World

PACKAGE = "cdk-assets@4"
ASSET = "3f1c2d0a9b8e7f6d5c4b3a291807f6e5d4c3b2a1908f7e6d5c4b3a2918070605"


@pytest.fixture(scope="module")
def cdk_assets() -> Path:
    """The program from npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine")

    def install(directory: Path) -> None:
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory)]
        subprocess.run(["npm", "install", "--silent", *options, PACKAGE], check=True)

    return cached("npm-" + fingerprint(PACKAGE), install) / "node_modules" / ".bin" / "cdk-assets"


def _cloud_assembly(directory: Path, repository: str) -> None:
    (directory / "asset").mkdir()
    (directory / "asset" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /Dockerfile\n")
    destination = {"repositoryName": repository, "imageTag": ASSET, "region": REGION}
    manifest = {
        "version": "36.0.0",
        "files": {},
        "dockerImages": {
            ASSET: {"source": {"directory": "asset"}, "destinations": {f"{ACCOUNT}-{REGION}": destination}}
        },
    }
    (directory / "assets.json").write_text(json.dumps(manifest))


def test_publish(world: World, cdk_assets: Path) -> None:
    directory = world.scratch()
    world.create("cdk/assets")
    _cloud_assembly(directory, "cdk/assets")
    env = {"CDK_DOCKER": "/usr/bin/docker", "DOCKER_BUILDKIT": "0"}
    world.do("node", cdk_assets, "--path", directory, "publish", env=env)
    assert set(world.digests("cdk/assets")) == {ASSET}
    again = world.run("node", cdk_assets, "--verbose", "--path", directory, "publish", env=env)
    assert again.returncode == 0
    assert "Found" in again.stdout + again.stderr
