"""Pulls without a login from a Bearer host: docs/guides/anonymous-pull.md as it stands there, then every client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.page import shell_script
from tests.support.server import ACCOUNT, PROGRAM, REGION
from tests.support.world import BEARER_HOST, HOST, World, aws_program

DOCKER = "/usr/bin/docker"
CRI = Path(__file__).parent / "clients" / "cri"
DEBIAN_PYTHON = "/usr/bin/python3"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/"
OPEN, CLOSED = f"{BEARER_HOST}/everybody/open", f"{BEARER_HOST}/everybody/closed"


class Stranger:
    """Clients that have never logged in anywhere."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        (directory / "config.json").write_text("{}")
        (directory / "auth.json").write_text("{}")
        self._environment = {"DOCKER_CONFIG": str(directory), "REGISTRY_AUTH_FILE": str(directory / "auth.json")}

    def run(self, *command: str | Path, stdin: str = "") -> tuple[int, str]:
        done = self.world.run(*command, env=self._environment, stdin=stdin)
        return done.returncode, done.stdout + done.stderr

    def can(self, *command: str | Path, stdin: str = "") -> str:
        code, said = self.run(*command, stdin=stdin)
        assert code == 0, said
        return said

    def cannot(self, *command: str | Path) -> str:
        code, said = self.run(*command)
        assert code != 0, said
        assert "unauthorized" in said.lower() or "denied" in said.lower(), said
        return said


def admin(world: World, *words: str) -> str:
    data_dir = str(world.directory / "data")
    return world.do(PROGRAM, "admin", "anonymous-pull", *words, "--data-dir", data_dir)


@pytest.fixture(scope="module")
def pushed(world: World, images: ImageLayout) -> World:
    """Two repositories with the same images, one of them open."""
    world.login("skopeo", "login")
    for name in ("open", "closed"):
        address = world.create(f"everybody/{name}")
        for image in ("multi", "python-app"):
            world.push(images, image, f"{address}:{image}")
    admin(world, "allow", f"{ARN}everybody/open")
    return world


@pytest.fixture
def stranger(pushed: World) -> Stranger:
    return Stranger(pushed, pushed.scratch())


def test_the_page(world: World, images: ImageLayout) -> None:
    directory = world.scratch()
    environment = {
        "HOME": str(directory),
        "DOCKER_CONFIG": str(directory),
        "PATH": f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENTREPOT_DATA_DIR": str(world.directory / "data"),
        "public": BEARER_HOST,
    }
    printed = world.do("bash", "-c", f"cd {directory}\n{shell_script('guides/anonymous-pull.md')}", env=environment)
    assert f"{ARN}base/tools" in printed
    assert printed.count(f"{BEARER_HOST}/base/tools:1") == 2


def test_docker(stranger: Stranger, images: ImageLayout) -> None:
    stranger.can(DOCKER, "pull", "--quiet", f"{OPEN}:python-app")
    stranger.cannot(DOCKER, "pull", "--quiet", f"{CLOSED}:python-app")
    stranger.cannot(DOCKER, "pull", "--quiet", f"{BEARER_HOST}/everybody/missing:1")
    assert stranger.run(DOCKER, "pull", "--quiet", f"{HOST}/everybody/open:python-app")[0] != 0
    stranger.can(DOCKER, "tag", f"{OPEN}:python-app", f"{OPEN}:mine")
    stranger.cannot(DOCKER, "push", f"{OPEN}:mine")
    assert "mine" not in stranger.world.digests("everybody/open")


def test_skopeo_and_podman(stranger: Stranger, images: ImageLayout) -> None:
    raw = json.loads(stranger.can("skopeo", "inspect", "--raw", f"docker://{OPEN}:multi"))
    assert raw["manifests"]
    copied = stranger.world.scratch()
    stranger.can("skopeo", "copy", "--all", f"docker://{OPEN}:multi", f"oci:{copied}:multi")
    stranger.can("podman", "pull", "--quiet", f"{OPEN}:python-app")
    stranger.cannot("skopeo", "inspect", "--raw", f"docker://{CLOSED}:multi")
    stranger.cannot("skopeo", "copy", f"oci:{copied}:multi", f"docker://{OPEN}:mine")
    stranger.cannot("skopeo", "list-tags", f"docker://{OPEN}")
    stranger.cannot("skopeo", "delete", f"docker://{OPEN}:multi")


def test_containerd(stranger: Stranger) -> None:
    stranger.can("ctr", "image", "pull", "--all-platforms", f"{OPEN}:multi")
    stranger.can(DEBIAN_PYTHON, CRI, "pull", f"{OPEN}:python-app")
    stranger.cannot("ctr", "image", "pull", f"{CLOSED}:multi")
    stranger.cannot(DEBIAN_PYTHON, CRI, "pull", f"{CLOSED}:python-app")


def test_closing_holds_with_the_next_pull(stranger: Stranger) -> None:
    inspect = ("skopeo", "inspect", "--raw", f"docker://{OPEN}:multi")
    stranger.can(*inspect)
    admin(stranger.world, "deny", f"{ARN}everybody/open")
    try:
        stranger.cannot(*inspect)
        stranger.cannot("ctr", "image", "pull", f"{OPEN}:python-app")
    finally:
        admin(stranger.world, "allow", f"{ARN}everybody/open")
    stranger.can(*inspect)


def test_logins_work_on_the_same_host(stranger: Stranger, images: ImageLayout) -> None:
    password = stranger.world.password()
    for client in ((DOCKER, "login"), ("skopeo", "login")):
        stranger.can(*client, "--username", "AWS", "--password-stdin", BEARER_HOST, stdin=password)
    code, said = stranger.run(DOCKER, "login", "--username", "AWS", "--password", "wrong", BEARER_HOST)
    assert code != 0, said
    stranger.can(DOCKER, "pull", "--quiet", f"{CLOSED}:python-app")
    stranger.can(DOCKER, "tag", f"{CLOSED}:python-app", f"{CLOSED}:mine")
    stranger.can(DOCKER, "push", "--quiet", f"{CLOSED}:mine")
    stranger.can("skopeo", "copy", "--all", f"oci:{images.root}:multi", f"docker://{CLOSED}:copied")
    stranger.can("ctr", "image", "pull", "--user", f"AWS:{password}", f"{CLOSED}:python-app")
    assert {"mine", "copied"} <= set(stranger.world.digests("everybody/closed"))
