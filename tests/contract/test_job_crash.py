"""Workers that die at random steps, beside others whose clock is ahead: every job has its effect exactly once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.database import DatabaseAddress, PostgresAddress, SqliteAddress
from tests.support.job_worker import make_effects


@pytest.mark.parametrize("seed", [1, 2])
def test_none_lost_and_none_twice(database_address: DatabaseAddress, tmp_path: Path, seed: int) -> None:
    engine = database_address.engine()
    make_effects(engine)
    engine.dispose()
    program = [sys.executable, "-m", "tests.support.job_crash", text_of(database_address), str(seed), str(tmp_path)]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    deaths, lost = map(int, ended.stdout.split())
    assert deaths > 5
    assert lost > 0


def text_of(address: DatabaseAddress) -> str:
    """The address as a program gets it."""
    if isinstance(address, SqliteAddress):
        return str(address.path)
    assert isinstance(address, PostgresAddress)
    return address.url
