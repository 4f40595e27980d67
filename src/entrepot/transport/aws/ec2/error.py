"""EC2's words: code, status and message of its own failures.

Spec: EC2 API, "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations

from typing import Final

from entrepot.domain import ec2_error as ec2
from entrepot.domain.error import RegistryError
from entrepot.transport.aws.error_row import Row

_MALFORMED: Final = {
    "eni": "InvalidNetworkInterfaceId.Malformed",
    "rtb": "InvalidRouteTableId.Malformed",
    "sg": "InvalidGroupId.Malformed",
    "subnet": "InvalidSubnetId.Malformed",
    "vpc": "InvalidVpcId.Malformed",
    "vpce": "InvalidVpcEndpointId.Malformed",
}
"""Codes by what ids begin with."""


def endpoint_not_found(endpoint_id: str) -> tuple[str, str]:
    """Code and sentence; also of items that were not deleted."""
    return "InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{endpoint_id}' does not exist"


def malformed(error: ec2.Ec2IdMalformed) -> tuple[str, str]:
    """Code and sentence of an id that is none."""
    code = _MALFORMED.get(error.kind, "InvalidID")
    shown = error.id[:256]
    if error.kind:
        return code, f'Invalid id: "{shown}" (expecting "{error.kind}-...")'
    return code, f"The ID '{shown}' is not valid"


ROWS: Final[dict[type[RegistryError], Row]] = {
    ec2.EndpointNotFound: Row("InvalidVpcEndpointId.NotFound", lambda e: endpoint_not_found(e.id)[1]),
    ec2.Ec2IdMalformed: Row("InvalidID", lambda e: malformed(e)[1], code_of=lambda e: malformed(e)[0]),
    ec2.InterfaceNotFound: Row(
        "InvalidNetworkInterfaceID.NotFound", lambda e: f"The networkInterface ID '{e.id}' does not exist"
    ),
    ec2.ServiceNameUnknown: Row(
        "InvalidServiceName", lambda e: f"The Vpc Endpoint Service '{e.name[:256]}' does not exist"
    ),
    ec2.Ec2ParameterMissing: Row("MissingParameter", lambda e: f"The request must contain the parameter {e.name}"),
    ec2.Ec2ParameterInvalid: Row("InvalidParameter", lambda e: e.detail),
    ec2.Ec2ValueInvalid: Row("InvalidParameterValue", lambda e: e.detail),
    ec2.EndpointPolicyInvalid: Row("InvalidPolicyDocument", lambda e: f"The policy document is invalid: {e.detail}"),
    ec2.AddressesUsedUp: Row(
        "InsufficientFreeAddressesInSubnet",
        lambda e: f"There are not enough free addresses in subnet '{e.subnet_id}' to satisfy the requested number",
    ),
    ec2.ClientTokenReused: Row(
        "IdempotentParameterMismatch",
        lambda e: f"The client token '{e.token[:64]}' was used with other parameters before",
    ),
    ec2.EndpointLimitExceeded: Row(
        "VpcEndpointLimitExceeded", lambda e: f"The maximum number of VPC endpoints has been reached: {e.limit}"
    ),
    ec2.Ec2TagLimitExceeded: Row("TagLimitExceeded", lambda e: f"A resource can have up to {e.limit} tags"),
    ec2.DryRunSucceeded: Row("DryRunOperation", lambda _: "Request would have succeeded, but DryRun flag is set.", 412),
}
"""One row for every error of `domain/ec2_error.py`."""
