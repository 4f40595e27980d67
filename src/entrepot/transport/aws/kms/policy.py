"""Key policies: GetKeyPolicy, PutKeyPolicy and ListKeyPolicies.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms import KmsKey
from entrepot.domain.kms_error import KeyPolicyNotFound, KmsInvalid
from entrepot.domain.page import Page
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.kms.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind

_NAME: Final = "default"
"""Of the one policy that a key has."""
_OF_RAM: Final = "AWS_RAM"
"""Of one that keys have that are shared through RAM: none here."""


async def get_key_policy(call: Call) -> dict[str, Any]:
    key = await _key(call)
    return {"Policy": await call.services.kms_policy.get(key), "PolicyName": _NAME}


async def put_key_policy(call: Call) -> dict[str, Any]:
    if call.parameters.get("PolicyName") == _OF_RAM:
        raise KmsInvalid("The AWS_RAM policy can only be managed by the RAM service")
    key, is_forced = await _key(call), call.parameters.get("BypassPolicyLockoutSafetyCheck", False)
    may_set_again = None if is_forced else call.permission.may_with
    await call.services.kms_policy.put(key, call.parameters["Policy"], may_set_again)
    return {}


async def list_key_policies(call: Call) -> dict[str, Any]:
    await _key(call)
    return paging_of(call, 100, 1000).answer("PolicyNames", Page([_NAME]), str)


async def _key(call: Call) -> KmsKey:
    """The key, if its policy is called as the request calls it."""
    key = await key_of(call)
    if call.parameters.get("PolicyName", _NAME) != _NAME:
        raise KeyPolicyNotFound(call.parameters["PolicyName"])
    return key


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "GetKeyPolicy": (ResourceKind.KEY, get_key_policy),
    "ListKeyPolicies": (ResourceKind.KEY, list_key_policies),
    "PutKeyPolicy": (ResourceKind.KEY, put_key_policy),
}
"""By name: what each is authorised on, and its handler."""
