"""Addressees: which service and operation a request is for, and in which form it must be answered.

JSON requests name both in X-Amz-Target. Query requests name the service in the scope of their signature and the
operation in the parameter Action, which stands in the body of a POST and so is known only later.

Spec: Smithy, "AWS JSON 1.1 protocol" and "AWS query protocol"; design, "Every protocol on every listener".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, NoReturn

from entrepot.auth.canonical_request import query_pairs
from entrepot.auth.claim import scope_of
from entrepot.transport.aws.error import Fault, RequestFault
from entrepot.transport.aws.model import VERSIONS, ServiceModel, service_model
from entrepot.transport.aws.protocol import ec2, json, query
from entrepot.transport.message import HttpRequest, HttpResponse


class Protocol(Enum):
    """The form of an answer."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"


@dataclass(frozen=True, slots=True)
class Addressee:
    """What can be told before the body is read."""

    protocol: Protocol
    service: ServiceModel
    operation: str | None
    """None: it stands in the body."""


def find_addressee(request: HttpRequest) -> Addressee:
    """Find the service, and the operation where the head of the request names it.

    Raises:
        RequestFault: a service or protocol that we do not speak, or a wrong content type.
    """
    if request.raw_path not in ("", "/"):
        _refuse(request)
    target = request.headers.get("X-Amz-Target")
    if target is not None:
        return _json_addressee(request, target)
    if not is_query(request):
        _refuse(request)
    service = _query_service(request)
    if service is None:
        _refuse(request)
    parameters = dict(query_pairs(request.raw_query))
    protocol = Protocol(service.protocol)
    return Addressee(protocol, service, parameters.get("Action") if request.method == "GET" else None)


def answer_fault(request: HttpRequest, fault: Fault) -> HttpResponse:
    """A failure in the form that the caller's SDK reads."""
    match _protocol_of(request):
        case Protocol.JSON:
            return json.serialise_fault(fault, request.request_id)
        case Protocol.EC2:
            return ec2.serialise_fault(fault, request.request_id)
        case Protocol.QUERY:
            service = _query_service(request)
            return query.serialise_fault(service.xml_namespace if service else None, fault, request.request_id)


def _protocol_of(request: HttpRequest) -> Protocol:
    """The form of the answer, for any request at all; services of REST form read one of these too."""
    if "X-Amz-Target" in request.headers:
        return Protocol.JSON
    scope = scope_of(request)
    service = scope[1] if scope else ""
    if service == "ec2":
        return Protocol.EC2
    return Protocol.QUERY if service == "s3" or is_query(request) else Protocol.JSON


def is_query(request: HttpRequest) -> bool:
    """Whether the request has the form of the Query protocol."""
    if request.method == "GET":
        return any(name == "Action" for name, _ in query_pairs(request.raw_query))
    return request.method == "POST" and _content_type(request) == query.FORM_TYPE


def _json_addressee(request: HttpRequest, target: str) -> Addressee:
    prefix, _, operation = target.rpartition(".")
    service = _services_by_target().get(prefix)
    if service is None:
        _refuse(request)
    if request.method != "POST":
        raise RequestFault("UnknownOperationException", "Requests of the JSON protocol are sent with POST")
    if _content_type(request) != json.CONTENT_TYPE:
        raise RequestFault("UnknownOperationException", f"The Content-Type must be {json.CONTENT_TYPE}")
    return Addressee(Protocol.JSON, service, operation)


def _query_service(request: HttpRequest) -> ServiceModel | None:
    """By the scope of the signature; an unsigned request can only be for STS."""
    scope = scope_of(request)
    return _query_services().get("sts" if scope is None else scope[1])


def _content_type(request: HttpRequest) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _refuse(request: HttpRequest) -> NoReturn:
    """Say that nobody here speaks this, and how to send only what we speak to us."""
    scope = scope_of(request)
    target = request.headers.get("X-Amz-Target", "")
    wanted = scope[1] if scope else target.partition("_")[0].partition(".")[0]
    *others, last = (f"AWS_ENDPOINT_URL_{name.upper()}" for name in VERSIONS)
    ours = f"{', '.join(others)} and {last}"
    if wanted in VERSIONS:
        raise RequestFault("UnknownOperationException", f"This is no request of the service '{wanted}'")
    advice = f"Set {ours} to this server instead of AWS_ENDPOINT_URL"
    if scope:
        advice += f", or AWS_ENDPOINT_URL_{_environment_name(wanted)} to a server that has it"
    raise RequestFault("UnknownOperationException", f"This server does not have the service '{wanted}'. {advice}.")


_ENVIRONMENT_NAMES: Final = {
    "monitoring": "CLOUDWATCH",
    "logs": "CLOUDWATCH_LOGS",
    "states": "SFN",
    "cognito-idp": "COGNITO_IDENTITY_PROVIDER",
    "elasticloadbalancing": "ELASTIC_LOAD_BALANCING_V2",
    "email": "SES",
}
"""Signing names that differ from the service's id, which names the variable."""


def _environment_name(signing_name: str) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in signing_name[:64]).upper()
    return _ENVIRONMENT_NAMES.get(signing_name, plain)


@lru_cache
def _services_by_target() -> dict[str, ServiceModel]:
    models = [service_model(name) for name in VERSIONS]
    return {model.target_prefix: model for model in models if model.protocol == "json" and model.target_prefix}


@lru_cache
def _query_services() -> dict[str, ServiceModel]:
    models = [service_model(name) for name in VERSIONS]
    return {model.signing_name: model for model in models if model.protocol in ("query", "ec2")}
