"""The benchmark runs from end to end and tells every figure; it judges none of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.growth import OPERATIONS
from tests.bench.measure import MEASURES
from tests.bench.start import figures

ROOT = Path(__file__).parents[2]


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


@pytest.mark.usefixtures("postgres_server")  # not this one: it skips where no PostgreSQL is installed
def test_growth_is_measured() -> None:
    command = [sys.executable, "-m", "tests.bench.growth", "--small", "40", "--large", "150", "--samples", "3"]
    command += ["--start-images", "10", "--starts", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    cells = [cell for line in result.stdout.splitlines() for cell in line.split("|")[2:4]]
    pairs = [match for cell in cells if (match := re.fullmatch(r" ([\d.]+) / ([\d.]+) ", cell))]
    figures = [float(figure) for pair in pairs for figure in pair.groups()]
    assert len(figures) == 2 * 4 * len(OPERATIONS)
    assert all(figure > 0 for figure in figures)
    assert "Start with 10 images on sqlite" in result.stdout
