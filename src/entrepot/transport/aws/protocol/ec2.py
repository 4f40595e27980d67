"""The EC2 protocol: form parameters in, XML out; the Query protocol's relative with names and lists of its own.

    Action=DescribeVpcEndpoints&Version=2016-11-15&VpcEndpointId.1=vpce-…  ->
    <DescribeVpcEndpointsResponse xmlns="…"><requestId>…</requestId><vpcEndpointSet><item>…</item></vpcEndpointSet>
      </DescribeVpcEndpointsResponse>

Spec: Smithy, "AWS EC2 query protocol"; EC2 API, "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from entrepot.transport.aws.protocol.query import Naming, pack_members
from entrepot.transport.aws.protocol.xml import element, text
from entrepot.transport.message import HttpResponse

if TYPE_CHECKING:
    from entrepot.transport.aws.error import Fault
    from entrepot.transport.aws.model import OperationModel, ServiceModel, Shape

CODES: Final = {
    "AccessDeniedException": ("UnauthorizedOperation", 403),
    "ExpiredTokenException": ("RequestExpired", 400),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InternalFailure": ("InternalError", 500),
    "InvalidParameterException": ("InvalidParameterValue", 400),
    "InvalidSignatureException": ("AuthFailure", 401),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "SerializationException": ("MalformedQueryString", 400),
    "ServiceUnavailable": ("Unavailable", 503),
    "ThrottlingException": ("RequestLimitExceeded", 503),
    "UnknownOperationException": ("InvalidAction", 400),
    "UnrecognizedClientException": ("AuthFailure", 401),
    "ValidationException": ("InvalidParameterValue", 400),
}
"""What the codes of the JSON protocol are called in EC2, and with which status."""

_UNAUTHORIZED: Final = "You are not authorized to perform this operation. "


def _name(name: str, shape: Shape) -> str:
    called = shape.location_name or name
    return called[0].upper() + called[1:]


NAMING: Final = Naming(_name, lambda name, _: name)
"""Members begin with a capital letter, items of lists are numbered right behind the list's name."""


def serialise(
    service: ServiceModel, operation: OperationModel, result: dict[str, Any], request_id: str
) -> HttpResponse:
    """The answer to a successful call; an operation without output says `true`."""
    packed = pack_members(operation.output, result) if operation.output else element("return", "true")
    name = f"{operation.name}Response"
    body = f'<{name} xmlns="{service.xml_namespace}/">{element("requestId", text(request_id))}{packed}</{name}>'
    return HttpResponse(200, _headers(request_id), body.encode())


def serialise_fault(fault: Fault, request_id: str) -> HttpResponse:
    """The answer to a failed call."""
    code, status = CODES.get(fault.code, (fault.code, fault.status))
    message = _UNAUTHORIZED + fault.message if fault.code == "AccessDeniedException" else fault.message
    error = element("Error", element("Code", text(code)) + element("Message", text(message)))
    body = element("Response", element("Errors", error) + element("RequestID", text(request_id)))
    return HttpResponse(status, _headers(request_id), body.encode())


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
