"""The operator's commands on a server's data directory, as processes of their own; some are killed on the way.

Run as `python -m tests.support.command STEP ARGUMENT…` it is `entrepot ARGUMENT…` that kills itself at that step: a
call that changes the disk (a write only half done), or one side of a commit.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.support.server import PROGRAM, ROOT_ENVIRONMENT, Server

TIMEOUT_SECONDS = 120


def environment_of(server: Server) -> dict[str, str]:
    """What the server's own settings are made of, for a command beside it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ENTREPOT_"))}
    return kept | {"HOME": str(server.home)} | ROOT_ENVIRONMENT | dict(server.environment)


def run_command(server: Server, *arguments: object, dies_at: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run `entrepot ARGUMENT… --data-dir` of the server; with `dies_at`, killed at that step."""
    words = [str(PROGRAM)] if dies_at is None else [sys.executable, "-m", "tests.support.command", str(dies_at)]
    words = [*server.entry, *words, *map(str, arguments), "--data-dir", str(server.data_dir)]
    return subprocess.run(
        words, env=environment_of(server), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )


def json_of(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """What a command printed with `--json`, if it ended with that code."""
    assert done.returncode == code, f"{done.returncode} instead of {code}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return json.loads(done.stdout)


def run_until_done(
    server: Server,
    *arguments: object,
    first: int = 0,
    stride: int = 1,
    is_done: Callable[[Server], bool] = lambda _: False,
) -> int:
    """Run a command that is killed at one step after the other until it ends by itself; how often it was killed.

    Where `is_done` says so after a kill, there is nothing left to do.
    """
    for kills in range(10_000):
        done = run_command(server, *arguments, dies_at=first + kills * stride)
        if done.returncode != -signal.SIGKILL:
            assert done.returncode in (0, 1), done.stderr[-2000:]
            return kills
        if is_done(server):
            return kills + 1
    raise AssertionError("unreachable")


def main(step: str, *arguments: str) -> None:
    """The command that dies."""
    from entrepot.app.cli.main import app  # noqa: PLC0415 - imported before the fuse burns
    from entrepot.store.metadata import sqlite_transaction  # noqa: PLC0415
    from tests.support.crash import Fuse  # noqa: PLC0415

    fuse = Fuse(int(step))
    kill = functools.partial(os.kill, os.getpid(), signal.SIGKILL)
    os._exit = lambda _: kill()  # type: ignore[assignment, return-value]
    fuse.install()
    attempt = sqlite_transaction._attempt

    def attempted(raw: Any, statement: str) -> Any:
        fuse.step()
        outcome = attempt(raw, statement)
        fuse.step()
        return outcome

    sqlite_transaction._attempt = attempted
    app(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
