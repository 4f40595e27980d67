"""A file pushed and pulled with the oras package, which reads `~/.docker/config.json` as docker does.

Arguments are the host and an address with a tag.
"""

from __future__ import annotations

import sys
from pathlib import Path

import oras.client


def main(host: str, target: str) -> None:
    """Push a note from the current directory, and pull it to another one."""
    note = Path("note.txt")
    note.write_text("hello\n")
    client = oras.client.OrasClient(hostname=host, auth_backend="basic")
    client.push(target=target, files=[f"{note}:text/plain"])
    (pulled,) = client.pull(target=target, outdir="pulled")
    assert Path(pulled).read_text() == note.read_text()


if __name__ == "__main__":
    main(*sys.argv[1:])
