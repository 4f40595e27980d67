"""The stock `docker-credential-ecr-login`, unchanged: it accepts only the real names."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.image_layout import ImageLayout
from tests.support.world import HOST, World

HELPER = "docker-credential-ecr-login"


def test_the_helper_answers(world: World) -> None:
    answer = json.loads(world.do(HELPER, "get", stdin=HOST))
    assert answer["Username"] == "AWS"
    assert answer["ServerURL"] == HOST


def test_docker_pushes_and_pulls_with_the_helper(world: World, images: ImageLayout) -> None:
    config = world.scratch()
    Path(config, "config.json").write_text(json.dumps({"credHelpers": {HOST: "ecr-login"}}))
    env = {"DOCKER_CONFIG": str(config), "REGISTRY_AUTH_FILE": str(config / "config.json")}
    address = world.create("helper/docker")
    world.push(images, "layers", f"{address}:1", env=env)
    world.do("/usr/bin/docker", "pull", "--quiet", f"{address}:1", env=env)
    world.do("/usr/bin/docker", "tag", f"{address}:1", f"{address}:2", env=env)
    world.do("/usr/bin/docker", "push", "--quiet", f"{address}:2", env=env)
    assert set(world.digests("helper/docker")) == {"1", "2"}
