"""Canonical forms of path, query and headers, in which signer and verifier write the same request down.

Spec: AWS IAM user guide, "Create a signed AWS API request", step 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

SIGNATURE_PARAMETER: Final = b"X-Amz-Signature"
_UNRESERVED: Final = "-_.~"


def canonical_path(raw_path: str) -> str:
    """The path normalised and encoded once more than it was sent, as every service but S3 signs it."""
    segments: list[str] = []
    for segment in raw_path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    slash = "/" if segments and raw_path.endswith("/") else ""
    return quote("/" + "/".join(segments) + slash, safe=f"/{_UNRESERVED}", errors="surrogateescape")


def canonical_query(raw_query: str) -> str:
    """The parameters but the signature itself, encoded alike, by name and then value."""
    pairs = ((_encode(name), _encode(value)) for name, value in _decoded(raw_query) if name != SIGNATURE_PARAMETER)
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def query_pairs(raw_query: str) -> list[tuple[str, str]]:
    """The parameters decoded as they are signed: `+` is a space."""
    return [(_text(name), _text(value)) for name, value in _decoded(raw_query)]


def canonical_headers(headers: CIMultiDictProxy[str], names: Iterable[str]) -> str:
    """`name:value` lines; runs of spaces become one, several values are joined by commas in the order sent."""
    lines = (f"{name}:{','.join(' '.join(value.split()) for value in headers.getall(name, []))}" for name in names)
    return "\n".join(lines)


def _decoded(raw_query: str) -> list[tuple[bytes, bytes]]:
    pairs = (pair.partition("=") for pair in raw_query.split("&") if pair)
    return [(_decode(name), _decode(value)) for name, _, value in pairs]


def _decode(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogateescape"))


def _encode(data: bytes) -> str:
    return quote(data, safe=_UNRESERVED)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
