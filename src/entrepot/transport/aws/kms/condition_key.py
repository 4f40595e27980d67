"""Condition keys of KMS that follow from a request's own members.

Spec: KMS developer guide, "AWS KMS condition keys"; aliases of other accounts are told by their names as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from entrepot.domain.kms import KEY_CONDITIONS, key_name_of

_ALIAS: Final = "alias/"
_LOCKOUT: Final = "kms:bypasspolicylockoutsafetycheck"
_OF_NEW_KEY: Final = {
    "CustomerMasterKeySpec": "kms:keyspec",
    "KeySpec": "kms:keyspec",
    "KeyUsage": "kms:keyusage",
    "Origin": "kms:keyorigin",
    "MultiRegion": "kms:multiregion",
}
_OF_OPERATION: Final[dict[str, dict[str, str]]] = {
    "CreateKey": _OF_NEW_KEY,
    "EnableKeyRotation": {"RotationPeriodInDays": "kms:rotationperiodindays"},
    "ScheduleKeyDeletion": {"PendingWindowInDays": "kms:schedulekeydeletionpendingwindowindays"},
}


def kms_keys_of(operation: str, parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The condition keys that follow from validated parameters, in lower case."""
    found: dict[str, tuple[str, ...]] = dict(KEY_CONDITIONS) if operation == "CreateKey" else {}
    for member, key in _OF_OPERATION.get(operation, {}).items():
        if member in parameters:
            found[key] = (_text(parameters[member]),)
    if operation in ("CreateKey", "PutKeyPolicy"):
        found[_LOCKOUT] = (_text(parameters.get("BypassPolicyLockoutSafetyCheck", False)),)
    if alias := _alias(parameters.get("KeyId", "")):
        found["kms:requestalias"] = (alias,)
    return found


def _alias(key_id: str) -> str | None:
    if key_id.startswith(_ALIAS):
        return key_id
    name = key_name_of(key_id)
    return None if name is None else name.alias


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
