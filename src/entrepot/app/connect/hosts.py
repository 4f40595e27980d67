"""The marked block of a hosts file: added, replaced, and taken out so that every other byte stays as it was."""

from __future__ import annotations

import re
from collections.abc import Sequence

BEGIN = b"# BEGIN entrepot connect: these names lead to entrepot and hide the real AWS; `entrepot connect --undo`"
END = b"# END entrepot connect"

_BLOCK = re.compile(
    rb"(\n?)# BEGIN entrepot connect([^\n]*)\n(?:(?!# END entrepot connect).*\n)*# END entrepot connect\n"
)
_NEWLINE_ADDED = b" (newline added)"

NAMES_PER_LINE = 4
"""Some resolvers stop reading a hosts line after a number of aliases."""


def lines(names: Sequence[str], address: str) -> str:
    """The hosts lines without the marks."""
    groups = [names[i : i + NAMES_PER_LINE] for i in range(0, len(names), NAMES_PER_LINE)]
    return "".join(f"{address} {' '.join(group)}\n" for group in groups)


def with_block(content: bytes, names: Sequence[str], address: str) -> bytes:
    """The content with our block at its end, in place of an older one."""
    bare = without_block(content)
    is_open = bool(bare) and not bare.endswith(b"\n")  # the last line lacks its end; undo must find that again
    begin = BEGIN + (_NEWLINE_ADDED if is_open else b"")
    return b"".join([bare, b"\n" if is_open else b"", begin, b"\n", lines(names, address).encode(), END, b"\n"])


def without_block(content: bytes) -> bytes:
    """The content without our block; all that is not ours stays byte for byte."""

    def restore(found: re.Match[bytes]) -> bytes:
        is_last = found.end() == len(content)  # lines added since below need the newline between
        return b"" if found[2].endswith(_NEWLINE_ADDED) and is_last else found[1]

    return _BLOCK.sub(restore, content)
