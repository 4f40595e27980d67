"""KMS's operations: those that a module of handlers lists, and the rest of the model, which are missing.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service".
"""

from __future__ import annotations

from typing import Final

from entrepot.transport.aws.call import Handler
from entrepot.transport.aws.kms import alias, key, policy, random, rotation, state, tag
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import Row, row

_OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    name: operation
    for module in (alias, key, policy, random, rotation, state, tag)
    for name, operation in module.OPERATIONS.items()
}
_ALSO: Final = {"CreateKey": (("kms:TagResource", "Tags"),)}
"""Further actions, each with the member that demands it."""


def _row(name: str) -> Row:
    resource, handler = _OPERATIONS.get(name, (ResourceKind.ANY, None))
    return row("kms", name, resource, handler, also=_ALSO.get(name, ()))


ROWS: Final = tuple(_row(name) for name in service_model("kms").operation_names)
