"""The benchmark runs from end to end and tells every figure; it judges none of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.measure import MEASURES
from tests.bench.start import figures

ROOT = Path(__file__).parents[2]


@pytest.mark.xdist_group("e2e")
def test_quick_run_tells_every_figure() -> None:
    for program in ("docker-registry", "wrk", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine")
    command = [sys.executable, "-m", "tests.bench.run", "--quick"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    rows = [line.split("|") for line in result.stdout.splitlines() if line.startswith("|")]
    shown = [[float(cell.replace(",", "")) for cell in row[3:6]] for row in rows[2:]]
    assert len(shown) == len(MEASURES)
    assert all(figure > 0 for row in shown for figure in row)


def test_starts_are_measured() -> None:
    seconds = figures(1)
    assert {name: len(starts) for name, starts in seconds.items()} == {"first": 1, "later": 1}
