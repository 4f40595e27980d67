"""KMS's operations: those that a module of handlers lists, and the rest of the model, which are missing.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service".
"""

from __future__ import annotations

from typing import Final

from entrepot.transport.aws.kms import random
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import Row, row


def _row(name: str) -> Row:
    resource, handler = random.OPERATIONS.get(name, (ResourceKind.ANY, None))
    return row("kms", name, resource, handler)


ROWS: Final = tuple(_row(name) for name in service_model("kms").operation_names)
