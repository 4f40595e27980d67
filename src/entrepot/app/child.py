"""Child processes of the supervisor: forked, tied to its life, heard through a pipe.

The supervisor has one thread and no loop, so a plain fork is safe. A child dies with its parent: the kernel sends
it SIGKILL when the supervisor is gone, however that happened.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 64 * 1024


class Reporter:
    """The child's end of the pipe, and of the socket by which it is answered."""

    def __init__(self, descriptor: int, channel: socket.socket) -> None:
        self._descriptor = descriptor
        self.channel = channel

    def say(self, word: str, text: str = "") -> None:
        """Send one line: a word, and a text whose line breaks become blanks."""
        line = f"{word} {' '.join(text.split())}".strip()
        with suppress(BrokenPipeError):
            os.write(self._descriptor, line.encode() + b"\n")


@dataclass(slots=True)
class Child:
    """A forked process and what it has said so far."""

    pid: int
    descriptor: int
    """Read end of its pipe; at its end the child is gone or going."""
    channel: socket.socket
    """By which it is told things; does not block."""
    started_at: float = field(default_factory=time.monotonic)
    exit_code: int | None = None
    _unread: bytes = b""

    def hear(self) -> list[tuple[str, str]]:
        """The lines that have arrived, as word and text. Does not wait."""
        with suppress(BlockingIOError):
            while data := os.read(self.descriptor, _READ_BYTES):
                self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        return [(word, text) for word, _, text in (line.decode(errors="replace").partition(" ") for line in lines)]

    def has_exited(self) -> bool:
        """Whether it is gone; collects its exit code once."""
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.exit_code = os.waitstatus_to_exitcode(status) if pid else None
        return self.exit_code is not None

    def wait(self) -> list[tuple[str, str]]:
        """Wait for its end; all that it said."""
        os.set_blocking(self.descriptor, True)
        said = self.hear()
        _, status = os.waitpid(self.pid, 0)
        self.exit_code = os.waitstatus_to_exitcode(status)
        self.close()
        return said

    def kill(self, number: signal.Signals) -> None:
        """Send a signal, unless it is gone."""
        if self.exit_code is None:
            os.kill(self.pid, number)

    def close(self) -> None:
        """Let go of the pipe and the socket."""
        os.close(self.descriptor)
        self.channel.close()

    def end_text(self) -> str:
        """How it ended, for the log."""
        code = self.exit_code or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def fork(run: Callable[[Reporter], int]) -> Child:
    """Run a function in a child; its result is the exit code."""
    parent = os.getpid()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        theirs.close()
        return Child(pid, reading, ours)
    code = 1
    try:
        os.close(reading)
        ours.close()
        _die_with(parent)
        code = run(Reporter(writing, theirs))
    except BaseException:  # noqa: BLE001 - the border of the process: nothing of the parent's stack may run here
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
