"""containerd: the ctr command, and its CRI plugin as the kubelet uses it."""

from __future__ import annotations

import pytest

from tests.e2e.clients.node import CRI, DEBIAN_PYTHON, push_pause
from tests.support.image_layout import ImageLayout
from tests.support.world import World


@pytest.fixture(scope="module")
def source(world: World, images: ImageLayout) -> str:
    """A repository with images to pull."""
    address = world.create("containerd/source")
    world.login("skopeo", "login")
    for name in ("multi", "python-app"):
        world.push(images, name, f"{address}:{name}")
    return address


@pytest.fixture(scope="module")
def user(world: World) -> str:
    """User and password as ctr takes them."""
    return f"AWS:{world.password()}"


def test_ctr_pulls_runs_and_pushes(world: World, source: str, user: str, images: ImageLayout) -> None:
    world.do("ctr", "image", "pull", "--user", user, f"{source}:python-app")
    printed = world.do("ctr", "run", "--rm", f"{source}:python-app", "python-app")
    assert printed.strip() == "python-app 2.19.1 2.10"
    address = world.create("containerd/pushed")
    world.do("ctr", "image", "tag", f"{source}:python-app", f"{address}:1")
    world.do("ctr", "image", "push", "--user", user, f"{address}:1")
    assert world.digests("containerd/pushed") == {"1": images.tags()["python-app"]["digest"]}


def test_ctr_pulls_every_platform(world: World, source: str, user: str) -> None:
    world.do("ctr", "image", "pull", "--all-platforms", "--user", user, f"{source}:multi")


def test_a_pod_runs_through_the_cri(world: World, source: str, user: str, images: ImageLayout) -> None:
    push_pause(world, images)
    world.do(DEBIAN_PYTHON, CRI, "pull", f"{source}:python-app", "--auth", user)
    assert world.do(DEBIAN_PYTHON, CRI, "run", f"{source}:python-app").strip() == "python-app 2.19.1 2.10"
    world.do(DEBIAN_PYTHON, CRI, "rmi", f"{source}:python-app")


def test_the_cri_needs_the_token(world: World, source: str) -> None:
    refused = world.run(DEBIAN_PYTHON, CRI, "pull", f"{source}:multi", "--auth", "AWS:wrong")
    assert refused.returncode != 0
