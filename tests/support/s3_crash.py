"""A program that pushes a layer into S3 and dies at a request, in a process of its own for each.

Run as `python -m tests.support.s3_crash DIRECTORY ENDPOINT PREFIX SHARD`. A process dies when S3 has done a
request and before anybody hears of it, or on either side of a commit: at every SHARDS-th of these steps in turn. Then
the push goes on in another process, or is given up. Nothing acknowledged may be lost and, after a sweep, nothing left
over: no object, no multipart upload. Prints how many pushes died.
"""

from __future__ import annotations

import random
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import Any

from entrepot.service.upload import hold, ledger
from entrepot.store.blob.s3.client import S3Client
from tests.support import crash
from tests.support.place import Objects, Place
from tests.support.s3 import S3Server

MIB = 1024 * 1024
DATA = random.Random(1).randbytes(9 * MIB + 7)
CUTS = (0, 5, 5 * MIB, 9 * MIB, len(DATA))
SHARDS = 4
GIVEN_UP = 3
"""Every so many pushes that died are not taken up again."""


def fuse_requests(fuse: crash.Fuse) -> None:
    """Make a step of every request that S3 has done."""
    send = S3Client._send

    def fused(*arguments: Any, **named: Any) -> Any:
        answer = send(*arguments, **named)
        fuse.step()
        return answer

    S3Client._send = fused  # type: ignore[method-assign]


def main(directory: str, endpoint: str, prefix: str, shard: str) -> None:
    def place_of(push: Path) -> Place:
        return Objects(S3Server(endpoint, f"{prefix}{push.name}/"), push)

    crash.DATA, crash.CUTS, crash.place_of = DATA, CUTS, place_of  # type: ignore[assignment]
    crash.Fuse.install = fuse_requests  # type: ignore[assignment, method-assign]
    hold.PUBLISH_HOLD_SECONDS = ledger.PUBLISH_HOLD_SECONDS = 1  # type: ignore[attr-defined]  # the dead are not waited for
    template = Path(directory) / "template"
    template.mkdir()
    crash.in_process(crash.prepare, template, True)
    for died, step in enumerate(count(int(shard), SHARDS)):
        push = Path(directory) / str(step)
        shutil.copytree(template, push)
        is_finished = crash.in_process(crash.push, push, True, step)
        if died % GIVEN_UP:
            crash.in_process(crash.push, push, True)
        crash.in_process(crash.check, push, True)
        if is_finished:
            sys.stdout.write(f"{died}\n")
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
