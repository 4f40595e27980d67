"""Answers of the data plane: the headers that every one has, and the few shapes that they come in.

Spec: OCI Distribution 1.1; security rules, "Output".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp.web import Response

from entrepot.domain.digest import Digest
from entrepot.transport.message import HttpResponse

VERSION = "Docker-Distribution-Api-Version"
BASE: Mapping[str, str] = {VERSION: "registry/2.0", "X-Content-Type-Options": "nosniff"}
JSON = "application/json"


def empty(status: int, headers: Mapping[str, str]) -> Response:
    """An answer without a body."""
    if status in (204, 304):
        return Response(status=status, headers={**BASE, **headers})
    return Response(status=status, headers={**BASE, "Content-Length": "0", **headers})


def document(content: Any, headers: Mapping[str, str] | None = None, content_type: str = JSON) -> Response:
    """A JSON answer with status 200."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(body=body, headers={**BASE, "Content-Type": content_type, **(headers or {})})


def from_message(message: HttpResponse) -> Response:
    """A whole answer made elsewhere."""
    return Response(status=message.status, headers={**BASE, **message.headers}, body=message.body)


def blob_path(name: str, digest: Digest) -> str:
    """Where a blob is found: a path without host, so that it holds behind any proxy."""
    return f"/v2/{name}/blobs/{digest}"


def manifest_path(name: str, digest: Digest) -> str:
    """Where a manifest is found."""
    return f"/v2/{name}/manifests/{digest}"


def next_link(path: str, parameters: Mapping[str, str | list[str]]) -> dict[str, str]:
    """The Link header to the next page; a list is a field for each of its values. Spec: RFC 8288."""
    return {"Link": f'<{path}?{urlencode(parameters, doseq=True, quote_via=quote)}>; rel="next"'}


def etag(digest: Digest) -> str:
    """The entity tag of bytes that are named by their digest."""
    return f'"{digest}"'


def is_unchanged(if_none_match: str | None, digest: Digest) -> bool:
    """Whether the client has these bytes. Spec: RFC 9110, section 13.1.2 (weak comparison)."""
    if if_none_match is None:
        return False
    known = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return etag(digest) in known or "*" in known
