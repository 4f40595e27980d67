"""Keys: CreateKey, DescribeKey, ListKeys and UpdateKeyDescription.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms import ECR_ALIAS, KeyState, KmsKey, key_arn, parse_key_name
from entrepot.domain.kms_error import AliasNotFound, KeyStoreNotFound, KmsInvalid, KmsUnsupported
from entrepot.domain.page import Page
from entrepot.service.kms.lifecycle import NewKey
from entrepot.service.kms.policy import default_policy
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.kms.paging import paging_of
from entrepot.transport.aws.kms.tag import tags_of
from entrepot.transport.aws.resource import ResourceKind

_SPEC: Final = "SYMMETRIC_DEFAULT"
_USAGE: Final = "ENCRYPT_DECRYPT"


async def create_key(call: Call) -> dict[str, Any]:
    _check_wanted(call.parameters)
    tags, place, key_id = tags_of(call), call.registry, call.services.context.new_uuid()
    given, arn = call.parameters, key_arn(call.registry, key_id)
    is_forced = given.get("BypassPolicyLockoutSafetyCheck", False)
    policy = await call.services.kms_policy.prepare(
        given.get("Policy", default_policy(place)),
        None if is_forced else lambda text: call.permission.may_then("kms:PutKeyPolicy", arn, text),
    )
    made = await call.services.kms_lifecycle.create(NewKey(key_id, place, policy, given.get("Description", ""), tags))
    return {"KeyMetadata": pack_key(made)}


async def describe_key(call: Call) -> dict[str, Any]:
    """AWS's key for ECR is made when somebody asks for it by its alias."""
    try:
        return {"KeyMetadata": pack_key(await key_of(call))}
    except AliasNotFound:
        name = parse_key_name(call.parameters["KeyId"], call.registry)
        if name.alias != ECR_ALIAS or name.place != call.registry:
            raise
    return {"KeyMetadata": pack_key(await call.services.kms_lifecycle.ecr_key(call.registry))}


async def list_keys(call: Call) -> dict[str, Any]:
    """Keys that other accounts share through RAM: there are none."""
    paging, place = paging_of(call, 100, 1000), call.registry
    if "SELF" not in call.parameters.get("ResourceOwners", ["SELF"]):
        return paging.answer("Keys", Page([]), str)
    found = await call.services.kms_lifecycle.list(place, paging.request)
    return paging.answer("Keys", found, lambda key_id: {"KeyId": key_id, "KeyArn": key_arn(place, key_id)})


async def update_key_description(call: Call) -> dict[str, Any]:
    key = await key_of(call)
    await call.services.kms_lifecycle.update_description(key, call.parameters["Description"])
    return {}


def pack_key(key: KmsKey) -> dict[str, Any]:
    """`KeyMetadata`."""
    return {
        "AWSAccountId": key.place.account_id,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": key.is_enabled,
        "Description": key.description,
        "KeyUsage": _USAGE,
        "KeyState": key.state.value,
        "DeletionDate": key.deletes_at if key.state is KeyState.PENDING_DELETION else None,
        "Origin": "AWS_KMS",
        "KeyManager": key.manager.value,
        "CustomerMasterKeySpec": _SPEC,
        "KeySpec": _SPEC,
        "EncryptionAlgorithms": [_SPEC],
        "MultiRegion": False,
        "CurrentKeyMaterialId": key.material_id,
    }


def _check_wanted(given: dict[str, Any]) -> None:
    """Check that a key is asked for that there can be: symmetric, with material that is made here.

    Raises:
        KmsInvalid: members that do not go together.
        KmsUnsupported: a key of another kind.
        KeyStoreNotFound
    """
    if "KeySpec" in given and "CustomerMasterKeySpec" in given:
        raise KmsInvalid(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    _check_kind(given.get("KeySpec", given.get("CustomerMasterKeySpec", _SPEC)), given.get("KeyUsage"))
    if "CustomKeyStoreId" in given:
        raise KeyStoreNotFound(given["CustomKeyStoreId"])
    if given.get("Origin", "AWS_KMS") != "AWS_KMS" or "XksKeyId" in given:
        raise KmsUnsupported("Key material of another origin than AWS_KMS is not supported.")
    if given.get("MultiRegion", False):
        raise KmsUnsupported("Multi-Region keys are not supported.")


def _check_kind(spec: str, usage: str | None) -> None:
    if spec == _SPEC:
        if usage not in (None, _USAGE):
            raise KmsInvalid(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
        return
    if usage is None:
        raise KmsInvalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
    raise KmsUnsupported(f"KeySpec {spec} is not supported: keys are symmetric here.")


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateKey": (ResourceKind.ANY, create_key),
    "DescribeKey": (ResourceKind.KEY_BY_ANY_NAME, describe_key),
    "ListKeys": (ResourceKind.ANY, list_keys),
    "UpdateKeyDescription": (ResourceKind.KEY, update_key_description),
}
"""By name: what each is authorised on, and its handler."""
