"""A push into S3 that dies at any request goes on elsewhere, and leaves nothing in the bucket after a sweep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.s3 import S3Server
from tests.support.s3_crash import SHARDS

STEPS_MIN = 40
"""If a push has fewer steps than that, the fuse does not see the requests any more."""


@pytest.mark.parametrize("shard", range(SHARDS))
def test_death_at_each_request(tmp_path: Path, s3: S3Server, shard: int) -> None:
    program = [sys.executable, "-m", "tests.support.s3_crash", str(tmp_path), s3.endpoint, s3.prefix, str(shard)]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert int(ended.stdout.splitlines()[-1]) > STEPS_MIN / SHARDS
