"""The world of the end-to-end tests, one for each process that runs some of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.programs import CLIENTS, require
from tests.support.server import Server
from tests.support.standard_images import standard_images
from tests.support.terraform import Terraform
from tests.support.world import World, open_world


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is here. The tests of a module share a world: pytest-xdist keeps them together (`--dist loadfile`)."""
    item.add_marker(pytest.mark.e2e)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A kubelet is not to be had from Debian: its tests are left out where nobody gave one."""
    if not os.environ.get("ENTREPOT_TEST_KUBELET"):
        without = [item for item in items if item.get_closest_marker("kubelet")]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def images() -> ImageLayout:
    """The standard images."""
    require(*CLIENTS)
    return standard_images()


@pytest.fixture(scope="session")
def world(images: ImageLayout) -> Iterator[World]:
    """The server under AWS's names, with docker and containerd; the standard images are in the repository `standard`,
    the sandbox image in `pause`."""
    with open_world() as opened:
        yield opened


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Terraform]:
    """Terraform in a directory of its own, before a server over plain HTTP on a loopback port."""
    server = Server(tmp_path / "data", tmp_path / "home")
    server.start()
    try:
        yield Terraform(tmp_path / "terraform", server)
    finally:
        server.close()
