"""On CI a skip is a failure; elsewhere it stays a skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "inside": "import pytest\ndef test_one():\n    pytest.skip('no tool')\n",
    "module": "import pytest\npytest.skip('no tool', allow_module_level=True)\n",
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='no tool')\ndef test_one():\n    pass\n",
    "fixture": "import pytest\n@pytest.fixture\ndef it():\n    pytest.skip('no tool')\ndef test_one(it):\n    pass\n",
}


def _run(directory: Path, source: str, ci: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_it.py").write_text(source)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.no_skips", "-p", "no:cacheprovider", "--rootdir"]
    env = {**os.environ, "CI": ci, "PYTHONPATH": str(root)}
    return subprocess.run(
        [*command, str(directory), str(directory)], cwd=directory, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_fails_on_ci(tmp_path: Path, kind: str) -> None:
    result = _run(tmp_path, SKIPS[kind], "true")
    assert result.returncode != 0
    assert "CI does not allow" in result.stdout
    assert "no tool" in result.stdout


@pytest.mark.parametrize("kind", ["inside", "mark"])
def test_a_skip_is_a_skip_elsewhere(tmp_path: Path, kind: str) -> None:
    result = _run(tmp_path, SKIPS[kind], "")
    assert result.returncode == 0
    assert "1 skipped" in result.stdout
