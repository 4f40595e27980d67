"""Pages whose commands are run: the shell blocks of a Markdown page, as one script."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SECTION = re.compile(r"^## (.*)\n", re.MULTILINE)


def shell_script(page: str, *sections: str) -> str:
    """Everything that stands between ```sh and ```, in order, of all or some sections; stops at what fails first."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if sections:
        _, *parts = _SECTION.split(text)
        found = dict(zip(parts[::2], parts[1::2], strict=True))
        text = "".join(found[section] for section in sections)
    blocks = _BLOCK.findall(text)
    return "set -euo pipefail\n" + "\n".join(blocks)
