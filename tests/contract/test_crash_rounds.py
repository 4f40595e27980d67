"""1,000 deaths on each engine at random steps, under three clients: nothing acknowledged is lost, nothing left over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.database import PostgresAddress

ROUNDS = 500
SEEDS = (1, 2)


def rounds(directory: Path, database: str, seed: int) -> None:
    program = [sys.executable, "-m", "tests.support.crash_rounds", str(directory), database, str(ROUNDS), str(seed)]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (ended.returncode, ended.stdout) == (0, f"{ROUNDS}\n"), ended.stdout + ended.stderr


@pytest.mark.parametrize("seed", SEEDS)
def test_on_sqlite(tmp_path: Path, seed: int) -> None:
    rounds(tmp_path, "sqlite", seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_on_postgresql(tmp_path: Path, seed: int, postgres_address: PostgresAddress) -> None:
    rounds(tmp_path, postgres_address.url, seed)
