"""The JSON protocol, version 1.1: one JSON object in, one out.

    POST / with X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeImages
    {"repositoryName": "myapp"}  ->  200 {"imageDetails": [...]}  |  400 {"__type": "...", "message": "..."}

Spec: Smithy, "AWS JSON 1.1 protocol".
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from entrepot.domain.limit import JSON_DEPTH_MAX
from entrepot.transport.aws.validate import WrongType
from entrepot.transport.message import HttpResponse

if TYPE_CHECKING:
    from entrepot.transport.aws.error import Fault
    from entrepot.transport.aws.model import OperationModel, Shape

REASON_HEADER: Final = "x-entrepot-reason"
REASON_LENGTH: Final = 300
"""Most characters of a reason that are told."""

CONTENT_TYPE: Final = "application/x-amz-json-1.1"
PIECES_MAX: Final = 1_000_000
"""Commas and opening brackets in one body, those in strings too: what is parsed takes at most about 100 MiB."""


def parse_body(body: bytes) -> dict[str, Any]:
    """Read the JSON object of a request; an empty body is an empty object.

    Raises:
        WrongType: not UTF-8, not JSON, nested too deep, or not an object.
    """
    if not body:
        return {}
    if body.count(b",") + body.count(b"[") + body.count(b"{") > PIECES_MAX:
        raise WrongType("The request body has too many members")
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WrongType("The request body is not valid JSON") from error
    if not isinstance(document, dict):
        raise WrongType("The request body is not a JSON object")
    _check_depth(document)
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check_depth(document: Any) -> None:
    """Walk level by level, so that neither depth nor size meets Python's recursion limit."""
    level = [document]
    for _ in range(JSON_DEPTH_MAX):
        inner = [child for parent in level for child in (parent.values() if isinstance(parent, dict) else parent)]
        level = [child for child in inner if isinstance(child, dict | list)]
        if not level:
            return
    raise WrongType(f"The request body is nested deeper than {JSON_DEPTH_MAX} levels")


def serialise(operation: OperationModel, result: dict[str, Any], request_id: str) -> HttpResponse:
    """The answer to a successful call; members that are None are left out."""
    document = _pack(operation.output, result) if operation.output else {}
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return HttpResponse(200, _headers(request_id), body)


def serialise_fault(fault: Fault, request_id: str) -> HttpResponse:
    """The answer to a failed call."""
    document = {"__type": fault.code, "message": fault.message, **fault.members}
    headers = {**_headers(request_id), "x-amzn-errortype": fault.code}
    if fault.reason is not None:
        headers[REASON_HEADER] = _header_text(fault.reason)
    # Escaped: a message may quote text that came from outside, lone surrogates included.
    return HttpResponse(fault.status, headers, json.dumps(document, separators=(",", ":")).encode())


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": CONTENT_TYPE, "x-amzn-RequestId": request_id}


def _header_text(text: str) -> str:
    """ASCII without control characters: the text may quote what came from outside."""
    escaped = text[:REASON_LENGTH].encode("ascii", "backslashreplace").decode()
    return "".join(character if character.isprintable() else "?" for character in escaped)


def _pack(shape: Shape, value: Any) -> Any:
    match shape.kind:
        case "structure":
            present = ((name, member, value.get(name)) for name, member in shape.members.items())
            return {name: _pack(member, item) for name, member, item in present if item is not None}
        case "list":
            return [_pack(shape.element, item) for item in value]
        case "map":
            return {key: _pack(shape.element, item) for key, item in value.items()}
        case "timestamp":
            return _epoch_seconds(value)
        case "blob":
            return base64.b64encode(value).decode()
        case _:
            return value


def _epoch_seconds(moment: datetime) -> float:
    """Milliseconds are what AWS shows."""
    return round(moment.timestamp(), 3)
