"""Pages whose commands are run: the shell blocks of a Markdown page, as one script."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def shell_script(page: str) -> str:
    """Everything that stands between ```sh and ```, in order; stops at the first command that fails."""
    blocks = _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    return "set -euo pipefail\n" + "\n".join(blocks)
