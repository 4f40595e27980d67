"""boto3 and docker on the same images: what one pushes the other fetches."""

from __future__ import annotations

import sys

from tests.support.image_layout import ImageLayout
from tests.support.world import World

CLIENT = (sys.executable, "-m", "tests.e2e.clients.layers_api")
DOCKER = "/usr/bin/docker"


def test_docker_pulls_what_boto3_pushed(world: World, images: ImageLayout) -> None:
    address = world.create("api/pushed")
    digest = world.do(*CLIENT, "push", images.root, "api/pushed", "python-app").strip()
    assert digest == images.tags()["python-app"]["digest"]
    world.login(DOCKER, "login")
    world.do(DOCKER, "pull", "--quiet", f"{address}:python-app")
    printed = world.do(DOCKER, "run", "--rm", "--network", "none", f"{address}:python-app")
    assert printed.strip() == "python-app 2.19.1 2.10"


def test_boto3_fetches_what_docker_pushed(world: World, images: ImageLayout) -> None:
    address = world.create("api/fetched")
    directory = world.scratch()
    (directory / "data").write_text("one\n")
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY data /data\n")
    world.login(DOCKER, "login")
    world.do(DOCKER, "build", "--quiet", "--tag", f"{address}:1", directory, env={"DOCKER_BUILDKIT": "0"})
    world.do(DOCKER, "push", "--quiet", f"{address}:1")
    fetched = ImageLayout(world.scratch())
    digest = world.do(*CLIENT, "fetch", fetched.root, "api/fetched", "1").strip()
    assert world.digests("api/fetched") == {"1": digest}
    image_id = world.do(DOCKER, "image", "inspect", "--format", "{{.Id}}", f"{address}:1").strip()
    assert fetched.manifest(digest)["config"]["digest"] == image_id
    assert set(dict(fetched.contents())) == fetched.reachable(digest)
