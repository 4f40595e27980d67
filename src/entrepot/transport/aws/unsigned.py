"""Requests without a signature: those of STS that bring a token of an issuer instead.

What the token says beside who holds it (tags, source identity) counts as if the request had said it.

Spec: STS API, AssumeRoleWithWebIdentity: "Calling AssumeRoleWithWebIdentity does not require the use of AWS security
credentials"; IAM user guide, "Passing session tags using AssumeRoleWithWebIdentity".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from entrepot.auth.claim import scope_of
from entrepot.domain.endpoint import parse_endpoint
from entrepot.domain.iam import parse_role_arn
from entrepot.domain.principal import Caller, federated_of
from entrepot.domain.web_identity import WebIdentity
from entrepot.transport.aws.addressee import Addressee, Protocol
from entrepot.transport.aws.constraint import constraint_fault
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.row import Row
from entrepot.transport.aws.validate import ConstraintBroken, compile_shape
from entrepot.transport.message import HttpRequest

if TYPE_CHECKING:
    from entrepot.auth.web_identities import WebIdentities

UNSIGNED: Final = frozenset({"AssumeRoleWithWebIdentity"})
"""Operations that take a token in the place of a signature."""

DEFAULT_REGION: Final = "us-east-1"
"""Of STS's global endpoint."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A request whose signature, or token, and input hold."""

    caller: Caller
    row: Row
    parameters: dict[str, Any]
    web_identity: WebIdentity | None = None


def may_be_unsigned(request: HttpRequest, addressee: Addressee) -> bool:
    """Whether a request has no signature and is for a service that takes tokens instead."""
    is_of_sts = addressee.protocol is Protocol.QUERY and addressee.service.signing_name == "sts"
    has_signature = "Authorization" in request.headers or "X-Amz-" in request.raw_query or scope_of(request) is not None
    return is_of_sts and not has_signature


async def open_unsigned(web_identities: WebIdentities, row: Row, parameters: dict[str, Any]) -> Opened:
    """Believe the token of a request.

    Raises:
        ValidationFailed: RoleArn is no role's.
        InvalidIdentityToken, ExpiredIdentityToken, IssuerNotReached.
        RequestFault: its tags or source identity are none.
    """
    account_id = parse_role_arn(parameters["RoleArn"]).account_id
    identity = await web_identities.verify(account_id, parameters["WebIdentityToken"])
    said: dict[str, Any] = {
        "Tags": [{"Key": key, "Value": value} for key, value in identity.tags.items()],
        "TransitiveTagKeys": list(identity.transitive_tag_keys),
        "SourceIdentity": identity.source_identity,
    }
    given = {name: value for name, value in said.items() if value}
    _check_said(given)
    return Opened(Caller(federated_of(identity.provider.arn), ""), row, parameters | given, identity)


def _check_said(given: dict[str, Any]) -> None:
    """Check what the token says as what a request says, by AssumeRole's constraints."""
    operation = service_model("sts").operation("AssumeRole")
    members = operation.input.members if operation.input else {}
    for name, value in given.items():
        try:
            compile_shape(members[name])(value, name)
        except ConstraintBroken as error:
            raise constraint_fault("sts", operation, error) from error


def region_of(request: HttpRequest) -> str:
    """The region of the endpoint that was asked."""
    endpoint = parse_endpoint(request.headers.get("Host", ""))
    return (endpoint.region if endpoint else None) or DEFAULT_REGION
