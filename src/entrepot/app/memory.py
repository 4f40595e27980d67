"""Memory of a worker: the C library keeps what was freed, up to some megabytes, for the next buffers.

A download asks for a megabyte at a time and frees it when it has left. By default glibc gives each back to the kernel,
which then has to clear new pages: 6 % of the CPU time of a pull (docs/benchmarks.md).
"""

from __future__ import annotations

import ctypes
from typing import Final

from entrepot.domain.limit import MIB

KEPT_BYTES: Final = 16 * MIB
"""Freed memory at the end of the heap that stays with the process."""

FROM_HEAP_BYTES: Final = 4 * MIB
"""Larger buffers come from the kernel and go back to it."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed() -> None:
    """Set this for the process. A C library without these settings does as it likes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, FROM_HEAP_BYTES)
