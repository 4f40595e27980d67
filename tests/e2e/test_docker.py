"""Docker through its daemon: push, pull, run, mount, manifest lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.world import World

DOCKER = "/usr/bin/docker"


@pytest.fixture(scope="module")
def source(world: World, images: ImageLayout) -> str:
    """A repository with images to pull, and docker logged in."""
    address = world.create("docker/source")
    world.login("skopeo", "login")
    for name in ("busybox", "layers", "multi", "python-app"):
        world.push(images, name, f"{address}:{name}")
    world.login(DOCKER, "login")
    return address


def _build(world: World, source: str, address: str, *, buildkit: bool = False) -> None:
    directory = world.scratch()
    Path(directory, "Dockerfile").write_text(f"FROM {source}:busybox\nRUN echo built > /built\nCMD cat /built\n")
    network = ["--network", "host"] if buildkit else []
    env = {"DOCKER_BUILDKIT": str(int(buildkit))}
    world.do(DOCKER, "build", "--quiet", *network, "--tag", address, directory, env=env)


def test_pull_and_run(world: World, source: str, images: ImageLayout) -> None:
    world.do(DOCKER, "pull", "--quiet", f"{source}:layers")
    printed = world.do(DOCKER, "run", "--rm", "--network", "none", f"{source}:layers")
    assert printed.split() == [f"layer-{number:02}" for number in range(1, 13)]
    shown = world.do(DOCKER, "image", "inspect", "--format", "{{index .RepoDigests 0}}", f"{source}:layers")
    assert shown.strip() == f"{source}@{images.tags()['layers']['digest']}"


def test_build_push_and_pull_again(world: World, source: str) -> None:
    address = world.create("docker/built")
    _build(world, source, f"{address}:1")
    pushed = world.do(DOCKER, "push", f"{address}:1")
    found = re.search(r"digest: (sha256:[0-9a-f]{64}) size: (\d+)", pushed)
    assert found
    assert world.digests("docker/built") == {"1": found[1]}
    world.do(DOCKER, "image", "rm", f"{address}:1")
    world.do(DOCKER, "pull", "--quiet", f"{address}:1")
    assert world.do(DOCKER, "run", "--rm", "--network", "none", f"{address}:1") == "built\n"


def test_buildkit(world: World, source: str) -> None:
    address = world.create("docker/buildkit")
    _build(world, source, f"{address}:1", buildkit=True)
    world.do(DOCKER, "push", "--quiet", f"{address}:1")
    assert set(world.digests("docker/buildkit")) == {"1"}


def test_layers_are_mounted_from_another_repository(world: World, source: str) -> None:
    address = world.create("docker/mounted")
    world.do(DOCKER, "pull", "--quiet", f"{source}:python-app")
    world.do(DOCKER, "tag", f"{source}:python-app", f"{address}:1")
    printed = world.do(DOCKER, "push", f"{address}:1")
    assert printed.count("Mounted from docker/source") == 3


def test_a_manifest_list_made_by_docker(world: World, source: str, images: ImageLayout) -> None:
    address = world.create("docker/list")
    _build(world, source, f"{address}:amd64")
    world.do(DOCKER, "push", "--quiet", f"{address}:amd64")
    world.do(DOCKER, "manifest", "create", f"{address}:all", f"{address}:amd64")
    digest = world.do(DOCKER, "manifest", "push", f"{address}:all").strip()
    assert world.digests("docker/list")["all"] == digest
    world.do(DOCKER, "image", "rm", f"{address}:amd64")
    world.do(DOCKER, "pull", "--quiet", f"{address}:all")


def test_an_index_is_resolved_to_the_platform(world: World, source: str) -> None:
    world.do(DOCKER, "pull", "--quiet", f"{source}:multi")
    assert world.do(DOCKER, "run", "--rm", "--network", "none", f"{source}:multi") == "amd64\n"


def test_a_missing_repository_is_named(world: World, source: str) -> None:
    missing = source.replace("source", "missing")
    world.do(DOCKER, "pull", "--quiet", f"{source}:busybox")
    world.do(DOCKER, "tag", f"{source}:busybox", f"{missing}:1")
    refused = world.run(DOCKER, "push", f"{missing}:1")
    assert refused.returncode != 0
    assert "docker/missing" in refused.stderr
    assert "does not exist" in refused.stderr
