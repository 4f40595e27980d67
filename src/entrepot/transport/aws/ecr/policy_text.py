"""Policy texts as ECR answers them: the document written anew, indented by two spaces.

    {
      "Version" : "2012-10-17",
      "Statement" : [ {
        "Effect" : "Allow",
        "Action" : [ "ecr:BatchGetImage", "ecr:ListImages" ]
      } ]
    }

Clients compare documents, not texts; some show them to people.

Spec: none is published; answers of ECR as its user guide and public issues show them.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INDENT: Final = "  "


def policy_text(document: str) -> str:
    """The text of a checked document."""
    return _show(json.loads(document), "\n")


def _show(value: Any, line: str) -> str:
    """`line` is the end of a line with the indent of the next."""
    if isinstance(value, dict):
        inner = line + _INDENT
        members = [f"{inner}{_scalar(key)} : {_show(item, inner)}" for key, item in value.items()]
        return "{" + ",".join(members) + line + "}" if members else "{ }"
    if isinstance(value, list):
        return f"[ {', '.join(_show(item, line) for item in value)} ]" if value else "[ ]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """Halves of characters, which no answer can hold, stay escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _SURROGATE.search(text) else text
