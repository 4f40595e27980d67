"""Memory of a process tree: proportional set size, so that what workers share counts once."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

INTERVAL_SECONDS = 0.05


def tree_pss_bytes(pid: int) -> int:
    """PSS of a process and its descendants now."""
    root = psutil.Process(pid)
    return sum(_pss_bytes(process.pid) for process in [root, *root.children(recursive=True)])


def _pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class MemoryWatch:
    """Samples a process tree as long as the block runs."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self.samples = 0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            self.peak_bytes = max(self.peak_bytes, tree_pss_bytes(self._pid))
            self.samples += 1
