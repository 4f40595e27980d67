"""KMS's operations: those that a module of handlers lists, and the rest of the model, which are missing.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service".
"""

from __future__ import annotations

from typing import Final

from entrepot.transport.aws.call import Handler
from entrepot.transport.aws.kms import alias, cryptography, grant, key, policy, random, rotation, state, tag
from entrepot.transport.aws.kms.condition_key import re_encryption_keys
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import Beside, Row, row

_OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    name: operation
    for module in (alias, cryptography, grant, key, policy, random, rotation, state, tag)
    for name, operation in module.OPERATIONS.items()
}
_ALSO: Final = {"CreateKey": (("kms:TagResource", "Tags"),)}
"""Further actions, each with the member that demands it."""


_BESIDE: Final = {"ReEncrypt": (Beside("kms:ReEncryptTo", ResourceKind.DESTINATION_KEY, re_encryption_keys),)}
_ACTIONS: Final = {"ReEncrypt": "ReEncryptFrom"}
"""What an operation is authorised as, where that has another name."""


def _row(name: str) -> Row:
    resource, handler = _OPERATIONS.get(name, (ResourceKind.ANY, None))
    also, beside = _ALSO.get(name, ()), _BESIDE.get(name, ())
    return row("kms", name, resource, handler, action=_ACTIONS.get(name), also=also, beside=beside)


ROWS: Final = tuple(_row(name) for name in service_model("kms").operation_names)
