"""The EC2 protocol: how it writes errors, for requests that came to the wrong server.

Spec: Smithy, "AWS EC2 query protocol".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.transport.aws.protocol.xml import element, text
from entrepot.transport.message import HttpResponse

if TYPE_CHECKING:
    from entrepot.transport.aws.error import Fault


def serialise_fault(fault: Fault, request_id: str) -> HttpResponse:
    """The answer to a failed call."""
    error = element("Error", element("Code", text(fault.code)) + element("Message", text(fault.message)))
    body = element("Response", element("Errors", error) + element("RequestID", text(request_id)))
    return HttpResponse(fault.status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body.encode())
