"""Memory that a worker freed is there for its next buffers."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys
from entrepot.app import memory
if sys.argv[1] == "kept":
    memory.keep_freed()

def use():
    buffers = [bytearray(1 << 20) for _ in range(3)]
    for buffer in buffers:
        buffer[:] = bytes(4096) * 256

for _ in range(10):
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_the_next_buffers_need_no_new_pages() -> None:
    assert _page_faults("kept") < 100 <= _page_faults("by default")
