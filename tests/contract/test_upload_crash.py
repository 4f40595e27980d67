"""A push that dies at any step leaves what was acknowledged, serves no half blob, and leaves nothing after a sweep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.crash import SHARDS

STEPS_MIN = 50
"""If a push has fewer steps than that, the fuses do not see the store's work any more."""

AT_ONCE_STEPS_MIN = 10


def crashes(directory: Path, *arguments: str) -> int:
    program = [sys.executable, "-m", "tests.support.crash", str(directory), *arguments]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return int(ended.stdout)


@pytest.mark.parametrize("layout", ["frames", "plain"])
@pytest.mark.parametrize("shard", range(SHARDS))
def test_death_at_each_step(tmp_path: Path, layout: str, shard: int) -> None:
    assert crashes(tmp_path, layout, "each", str(shard)) > STEPS_MIN / SHARDS


@pytest.mark.parametrize("layout", ["frames", "plain"])
def test_death_at_each_step_of_a_blob_that_comes_whole(tmp_path: Path, layout: str) -> None:
    assert crashes(tmp_path, layout, "at-once", "0") > AT_ONCE_STEPS_MIN


@pytest.mark.parametrize("layout", ["frames", "plain"])
@pytest.mark.parametrize("seed", range(3))
def test_death_again_and_again(tmp_path: Path, layout: str, seed: int) -> None:
    assert crashes(tmp_path, layout, "random", str(seed)) > 1
