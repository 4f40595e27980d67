"""Random bytes: GenerateRandom, which needs no key.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms_error import KeyStoreNotFound, KmsInvalid, KmsUnsupported
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.resource import ResourceKind


async def generate_random(call: Call) -> dict[str, Any]:
    if "CustomKeyStoreId" in call.parameters:
        raise KeyStoreNotFound(call.parameters["CustomKeyStoreId"])
    if "Recipient" in call.parameters:
        raise KmsUnsupported("Recipient is not supported: this server attests no enclaves.")
    if "NumberOfBytes" not in call.parameters:  # the model does not say that it is required
        raise KmsInvalid("NumberOfBytes is required.")
    return {"Plaintext": call.services.context.random_bytes(call.parameters["NumberOfBytes"])}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "GenerateRandom": (ResourceKind.ANY, generate_random),
}
"""By name: what each is authorised on, and its handler."""
