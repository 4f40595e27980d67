"""States of keys: EnableKey, DisableKey, ScheduleKeyDeletion and CancelKeyDeletion.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms_error import KmsInvalid
from entrepot.domain.kms_limit import DELETION_DAYS
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.resource import ResourceKind


async def enable_key(call: Call) -> dict[str, Any]:
    await call.services.kms_lifecycle.set_enabled(await key_of(call), is_enabled=True)
    return {}


async def disable_key(call: Call) -> dict[str, Any]:
    await call.services.kms_lifecycle.set_enabled(await key_of(call), is_enabled=False)
    return {}


async def schedule_key_deletion(call: Call) -> dict[str, Any]:
    fewest, most = DELETION_DAYS
    days = call.parameters.get("PendingWindowInDays", most)
    if not fewest <= days <= most:
        raise KmsInvalid(f"PendingWindowInDays must be between {fewest} and {most}, but it is {days}")
    key = await call.services.kms_lifecycle.schedule_deletion(await key_of(call), days)
    return {
        "KeyId": key.arn,
        "DeletionDate": key.deletes_at,
        "KeyState": key.state.value,
        "PendingWindowInDays": days,
    }


async def cancel_key_deletion(call: Call) -> dict[str, Any]:
    key = await key_of(call)
    await call.services.kms_lifecycle.cancel_deletion(key)
    return {"KeyId": key.arn}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CancelKeyDeletion": (ResourceKind.KEY, cancel_key_deletion),
    "DisableKey": (ResourceKind.KEY, disable_key),
    "EnableKey": (ResourceKind.KEY, enable_key),
    "ScheduleKeyDeletion": (ResourceKind.KEY, schedule_key_deletion),
}
"""By name: what each is authorised on, and its handler."""
