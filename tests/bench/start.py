"""Seconds from the start of the process to 200 of `/healthz`: on a new data directory, and on one that is there."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from tests.support.server import Server

STARTS = 9


def seconds_to_start(server: Server) -> float:
    """Start it, stop it."""
    began = time.perf_counter()
    server.start()
    seconds = time.perf_counter() - began
    server.stop()
    return seconds


def figures(starts: int) -> dict[str, list[float]]:
    """Seconds of each start; the first ones make keys, tables, an account and a profile."""
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as text:
        work = Path(text)
        first = [Server(work / f"data-{number}", work / "home") for number in range(starts)]
        return {
            "first": [seconds_to_start(server) for server in first],
            "later": [seconds_to_start(first[0]) for _ in range(starts)],
        }


if __name__ == "__main__":
    for name, seconds in figures(STARTS).items():
        print(f"start, {name}: median {median(seconds):.2f} s, from {min(seconds):.2f} to {max(seconds):.2f}")
