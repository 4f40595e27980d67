"""Directories of one test run, named by its process, so that the next run finds what a killed one left."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psutil


def make_run_directory(prefix: str) -> Path:
    """A new directory in the temporary one; short, because a socket path holds 107 bytes."""
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))


def leftovers(prefix: str) -> list[Path]:
    """Directories whose process is gone."""
    found = Path(tempfile.gettempdir()).glob(f"{prefix}*-*")
    return [directory for directory in found if _is_abandoned(directory.name.removeprefix(prefix))]


def _is_abandoned(name: str) -> bool:
    pid = name.partition("-")[0]
    return pid.isdigit() and not psutil.pid_exists(int(pid))
