"""The Query protocol: form parameters in, XML out.

    Action=GetCallerIdentity&Version=2011-06-15  ->
    <GetCallerIdentityResponse xmlns="…"><GetCallerIdentityResult>…</GetCallerIdentityResult>
      <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></GetCallerIdentityResponse>

Spec: Smithy, "AWS query protocol"; STS API, "Common Errors".
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from entrepot.transport.aws.protocol.xml import element, text
from entrepot.transport.aws.validate import WrongType
from entrepot.transport.message import HttpResponse

if TYPE_CHECKING:
    from entrepot.transport.aws.error import Fault
    from entrepot.transport.aws.model import OperationModel, ServiceModel, Shape

FORM_TYPE = "application/x-www-form-urlencoded"
FIELDS_MAX = 500
"""Form parameters in one request; bounds the work before a signature is checked."""

CODES: Final = {
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredIdentityToken": ("ExpiredTokenException", 400),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InvalidParameterException": ("ValidationError", 400),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "SerializationException": ("MalformedInput", 400),
    "ThrottlingException": ("Throttling", 400),
    "UnknownOperationException": ("InvalidAction", 400),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "ValidationException": ("ValidationError", 400),
}
"""What the codes of the JSON protocol are called in IAM and STS, and with which status."""


def parse_form(encoded: str) -> dict[str, str]:
    """Read form parameters, from a body or a query string.

    Raises:
        WrongType: not a form, or a parameter given twice.
    """
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise WrongType("The request parameters can not be read") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise WrongType("A request parameter is given more than once")
    return form


@dataclass(frozen=True, slots=True)
class Naming:
    """How members are called in forms."""

    member: Callable[[str, Shape], str]
    """Name of a structure's member in the model, and its shape."""
    items: Callable[[str, Shape], str]
    """Name of a list, and its shape: what the names of its items begin with."""


def _items(name: str, shape: Shape) -> str:
    return name if shape.definition.get("flattened") else f"{name}.{shape.element.location_name or 'member'}"


QUERY: Final = Naming(lambda name, shape: shape.location_name or name, _items)


def parse_input(shape: Shape | None, form: dict[str, str], naming: Naming = QUERY) -> dict[str, Any]:
    """Form parameters as the structure that the validator takes; parameters of no member are ignored.

    Raises:
        WrongType: text where a number or a boolean belongs, or numbering with gaps.
    """
    return {} if shape is None else _Unpacking(form, naming).structure(shape, "")


class _Unpacking:
    """One form, read."""

    def __init__(self, form: dict[str, str], naming: Naming) -> None:
        self._form, self._naming = form, naming

    def structure(self, shape: Shape, prefix: str) -> dict[str, Any]:
        """The members of a structure that are there."""
        called = ((name, member, prefix + self._naming.member(name, member)) for name, member in shape.members.items())
        # Shapes can be recursive; parameters are not, so nothing is entered that no parameter begins with.
        named = ((name, member, path) for name, member, path in called if self._is_named(path))
        values = {name: self._value(member, path) for name, member, path in named}
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, shape: Shape, name: str) -> Any:
        match shape.kind:
            case "structure":
                return self.structure(shape, f"{name}.") or None
            case "list":
                return self._list(shape, name)
            case "map":
                return self._map(shape, name)
            case _:
                given = self._form.get(name)
                return None if given is None else _convert(shape.kind, given)

    def _is_named(self, path: str) -> bool:
        return path in self._form or any(name.startswith(f"{path}.") for name in self._form)

    def _list(self, shape: Shape, name: str) -> list[Any]:
        if self._form.get(name) == "":
            return []  # how an empty list is written
        prefix = self._naming.items(name, shape)
        items: list[Any] = []
        while self._is_named(path := f"{prefix}.{len(items) + 1}"):
            items.append(self._value(shape.element, path))
        if not items:
            raise WrongType(f"The list '{name}' is not numbered from 1")
        return items

    def _map(self, shape: Shape, name: str) -> dict[str, Any]:
        prefix = name if shape.definition.get("flattened") else f"{name}.entry"
        entries: dict[str, Any] = {}
        while (key := self._form.get(f"{prefix}.{len(entries) + 1}.key")) is not None:
            entries[key] = self._value(shape.element, f"{prefix}.{len(entries) + 1}.value")
        return entries


def _convert(kind: str, given: str) -> Any:
    try:
        match kind:
            case "integer" | "long":
                return int(given)
            case "double" | "float":
                return float(given)
            case "boolean":
                return {"true": True, "false": False}[given.lower()]
            case _:
                return given
    except (ValueError, KeyError) as error:
        raise WrongType(f"A parameter can not be converted to {kind}") from error


def serialise(
    service: ServiceModel, operation: OperationModel, result: dict[str, Any], request_id: str
) -> HttpResponse:
    """The answer to a successful call; members that are None are left out."""
    packed = pack_members(operation.output, result) if operation.output else ""
    wrapped = element(operation.result_wrapper, packed) if operation.result_wrapper else packed
    metadata = element("ResponseMetadata", element("RequestId", text(request_id)))
    name = f"{operation.name}Response"
    body = f'<{name} xmlns="{service.xml_namespace}">{wrapped}{metadata}</{name}>'
    return HttpResponse(200, _headers(request_id), body.encode())


def serialise_fault(namespace: str | None, fault: Fault, request_id: str) -> HttpResponse:
    """The answer to a failed call."""
    code, status = CODES.get(fault.code, (fault.code, fault.status))
    party = element("Type", "Sender" if status < 500 else "Receiver")  # noqa: PLR2004 (server faults begin there)
    error = element("Error", party + element("Code", text(code)) + element("Message", text(fault.message)))
    request = element("RequestId", text(request_id))
    opening = f'<ErrorResponse xmlns="{namespace}">' if namespace else "<ErrorResponse>"
    return HttpResponse(status, _headers(request_id), f"{opening}{error}{request}</ErrorResponse>".encode())


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}


def pack_members(shape: Shape, value: dict[str, Any]) -> str:
    """The elements of a structure; members that are None are left out."""
    present = ((member.location_name or name, member, value.get(name)) for name, member in shape.members.items())
    return "".join(_pack(name, member, item) for name, member, item in present if item is not None)


def _pack(name: str, shape: Shape, value: Any) -> str:
    match shape.kind:
        case "structure":
            content = pack_members(shape, value)
        case "list":
            inner = shape.element.location_name or "member"
            content = "".join(_pack(inner, shape.element, item) for item in value)
        case "map":
            content = "".join(_entry(shape, key, item) for key, item in value.items())
        case "timestamp":
            content = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case "blob":
            content = base64.b64encode(value).decode()
        case "boolean":
            content = "true" if value else "false"
        case _:
            content = text(str(value))
    return element(name, content)


def _entry(shape: Shape, key: str, item: Any) -> str:
    return element("entry", element("key", text(key)) + _pack("value", shape.element, item))
