"""EC2's operations: those that have to do with private endpoints.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
"""

from __future__ import annotations

from typing import Final

from entrepot.transport.aws.ec2 import endpoint_service, network, tag, vpc_endpoint
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.row import Row, row

_HANDLERS: Final = {
    **endpoint_service.OPERATIONS,
    **network.OPERATIONS,
    **tag.OPERATIONS,
    **vpc_endpoint.OPERATIONS,
}

_ALSO: Final = {"CreateVpcEndpoint": (("ec2:CreateTags", "TagSpecifications"),)}


def _row(name: str) -> Row:
    resource, handler = _HANDLERS[name]
    return row("ec2", name, resource, handler, also=_ALSO.get(name, ()))


ROWS: Final = tuple(_row(name) for name in service_model("ec2").operation_names)
