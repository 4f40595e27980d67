"""The lines that the server prints at its start, pasted as they are: without TLS, names or settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.poll import wait_until
from tests.support.server import PROGRAM
from tests.support.world import World

BEFORE = "paste:\n"


@pytest.fixture
def home(world: World) -> Iterator[Path]:
    """The home of a user who started `entrepot serve` and nothing else; its output is in `printed`."""
    home = world.scratch()
    log = home / "printed"
    process = world.namespace.start([PROGRAM, "serve"], env={"HOME": str(home)}, log=log)
    wait_until(lambda: process.poll() is not None or BEFORE in log.read_text(), what="the lines to paste")
    assert process.poll() is None, log.read_text()
    yield home
    world.namespace.terminate(process)


def _pasted(printed: str) -> str:
    """The indented lines after the words that announce them."""
    lines = printed.partition(BEFORE)[2].splitlines()
    return "\n".join(line for line in lines if line.startswith("  "))


def test_the_lines_to_paste_work(world: World, home: Path) -> None:
    script = _pasted((home / "printed").read_text())
    assert "docker push 127.0.0.1:5000/" in script
    daemon = {name: world.environment[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG")}
    path = f"{PROGRAM.parent}:/usr/bin:/usr/sbin:/bin"
    env = daemon | {"HOME": str(home), "PATH": path}
    result = world.namespace.run(["bash", "-e", "-o", "pipefail", "-c", script], env=env)
    assert result.returncode == 0, result.stdout + result.stderr
    described = json.loads(result.stdout[result.stdout.rindex('{\n    "imageDetails"') :])
    (detail,) = described["imageDetails"]
    assert detail["imageTags"] == ["1"]
    assert detail["imageDigest"] in result.stdout.partition('"imageDetails"')[0]
