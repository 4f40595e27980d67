"""Rotation: EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand and ListKeyRotations.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms import KeyState, KeyVersion, KmsKey, VersionOrigin
from entrepot.domain.kms_limit import ROTATION_DAYS_DEFAULT
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.kms.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def enable_key_rotation(call: Call) -> dict[str, Any]:
    days = call.parameters.get("RotationPeriodInDays", ROTATION_DAYS_DEFAULT)
    await call.services.kms_rotation.enable(await key_of(call), days)
    return {}


async def disable_key_rotation(call: Call) -> dict[str, Any]:
    await call.services.kms_rotation.disable(await key_of(call))
    return {}


async def get_key_rotation_status(call: Call) -> dict[str, Any]:
    """A key that is about to be deleted does not rotate; what it did before counts again if that is cancelled."""
    key = await key_of(call)
    if key.rotation_days is None or key.state is KeyState.PENDING_DELETION:
        return {"KeyId": key.id, "KeyRotationEnabled": False}
    return {
        "KeyId": key.id,
        "KeyRotationEnabled": True,
        "RotationPeriodInDays": key.rotation_days,
        "NextRotationDate": key.rotates_at,
    }


async def rotate_key_on_demand(call: Call) -> dict[str, Any]:
    key = await key_of(call)
    await call.services.kms_rotation.rotate_on_demand(key)
    return {"KeyId": key.arn}


async def list_key_rotations(call: Call) -> dict[str, Any]:
    paging, key = paging_of(call, 100, 1000), await key_of(call)
    has_first = call.parameters.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    found = await call.services.kms_rotation.list(key, paging.request, has_first=has_first)
    return paging.answer("Rotations", found, lambda version: _pack(key, version))


def _pack(key: KmsKey, version: KeyVersion) -> dict[str, Any]:
    is_first = version.origin is VersionOrigin.CREATED
    return {
        "KeyId": key.id,
        "KeyMaterialId": version.material_id,
        "KeyMaterialState": "CURRENT" if version.number == key.version else "NON_CURRENT",
        "RotationDate": None if is_first else version.created_at,
        "RotationType": None if is_first else version.origin.value,
    }


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "DisableKeyRotation": (ResourceKind.KEY, disable_key_rotation),
    "EnableKeyRotation": (ResourceKind.KEY, enable_key_rotation),
    "GetKeyRotationStatus": (ResourceKind.KEY, get_key_rotation_status),
    "ListKeyRotations": (ResourceKind.KEY, list_key_rotations),
    "RotateKeyOnDemand": (ResourceKind.KEY, rotate_key_on_demand),
}
"""By name: what each is authorised on, and its handler."""
