"""A small disk: a tmpfs in a mount namespace of its own, filled up, made read-only and mended while a server runs.

The namespace ends with the last process in it. Its holder waits on a pipe of the test process, so a killed test run
leaves nothing behind.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

_HOLD = 'mount -t tmpfs -o "size=$1,mode=0700" disk "$2" && echo ready && while read -r _; do :; done'


class SmallDisk:
    """Mounted at `path`, which only processes started with the words of `entry` see."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "sh", "-c", _HOLD, "hold", str(size_bytes), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline().strip() != "ready":
            self.close()
            raise RuntimeError("no mount of our own: root with CAP_SYS_ADMIN is needed")

    @property
    def entry(self) -> list[str]:
        """Words before a command that is to see the disk; the process that they start becomes the command."""
        return ["nsenter", f"--target={self._holder.pid}", "--mount", f"--wdns={Path.cwd()}", "--"]

    @property
    def seen_from_outside(self) -> Path:
        """Where the test process finds what is on the disk."""
        return Path(f"/proc/{self._holder.pid}/root{self.path}")

    def remount(self, option: str) -> None:
        """`ro`, `rw` or `size=…`."""
        subprocess.run([*self.entry, "mount", "-o", f"remount,{option}", str(self.path)], check=True)

    def fill(self) -> Path:
        """Take every byte that is left; the file that has them."""
        filler = self.seen_from_outside / "filler"
        with filler.open("ab", buffering=0) as file:
            for step in (1 << 20, 4096):
                try:
                    while file.write(bytes(step)) == step:
                        pass
                except OSError:
                    continue
        return filler

    def close(self) -> None:
        """End the holder; the disk goes with the last process that uses it."""
        self._holder.communicate()
