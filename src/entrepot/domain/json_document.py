"""JSON documents from outside: one object, strict, bounded in depth and number of members, at the speed of the decoder.

Spec: RFC 8259; members are unique (I-JSON, RFC 7493), NaN and infinities are refused.
"""

from __future__ import annotations

import json
import math
from typing import Any

from entrepot.domain.limit import JSON_CONTAINERS_MAX, JSON_DEPTH_MAX


class DocumentInvalid(Exception):
    """Not such a document; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def parse_document(raw: bytes) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        DocumentInvalid: not UTF-8, not JSON, doubled members, too deep, too many brackets, or not an object.
    """
    if raw.count(b"{") + raw.count(b"[") > JSON_CONTAINERS_MAX:  # cheaper than building them; strings count too
        raise DocumentInvalid(f"more than {JSON_CONTAINERS_MAX} objects and lists")
    try:
        document = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise DocumentInvalid("not UTF-8") from error
    except RecursionError as error:
        raise DocumentInvalid(f"nested deeper than {JSON_DEPTH_MAX} levels") from error
    except ValueError as error:
        raise DocumentInvalid("Invalid JSON syntax") from error
    if not isinstance(document, dict):
        raise DocumentInvalid("not a JSON object")
    if is_deeper(document, JSON_DEPTH_MAX):
        raise DocumentInvalid(f"nested deeper than {JSON_DEPTH_MAX} levels")
    return document


def parse_text_document(raw: bytes) -> dict[str, Any]:
    """Read one JSON object whose texts are all made of whole characters: JSON can name half of a surrogate pair.

    Raises:
        DocumentInvalid: not such a document.
    """
    document = parse_document(raw)
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DocumentInvalid("half of a surrogate pair") from error
    return document


def is_deeper(document: Any, levels: int) -> bool:
    """Whether objects and lists nest deeper than `levels`; linear, no recursion."""
    nodes = [document]
    for _ in range(levels + 1):
        nodes = [node for node in nodes if isinstance(node, dict | list)]
        if not nodes:
            return False
        nodes = [child for node in nodes for child in (node.values() if isinstance(node, dict) else node)]
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("doubled member")
    return document


def _refuse(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
