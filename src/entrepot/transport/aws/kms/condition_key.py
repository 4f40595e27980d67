"""Condition keys of KMS that follow from a request's own members.

Spec: KMS developer guide, "AWS KMS condition keys"; aliases of other accounts are told by their names as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from entrepot.domain.kms import KEY_CONDITIONS, key_name_of
from entrepot.domain.kms_grant import CONTEXT_KEY, CONTEXT_KEYS, NEW_CONSTRAINTS, Constraints

_ALIAS: Final = "alias/"
_LOCKOUT: Final = "kms:bypasspolicylockoutsafetycheck"
_OF_NEW_KEY: Final = {
    "CustomerMasterKeySpec": "kms:keyspec",
    "KeySpec": "kms:keyspec",
    "KeyUsage": "kms:keyusage",
    "Origin": "kms:keyorigin",
    "MultiRegion": "kms:multiregion",
}
_CONTEXT_MEMBER: Final = {"ReEncrypt": "SourceEncryptionContext"}
_ALGORITHM: Final = {"kms:encryptionalgorithm": ("SYMMETRIC_DEFAULT",)}
_WITH_ALGORITHM: Final = frozenset({"Decrypt", "Encrypt", "ReEncrypt"})
_GRANT_PRINCIPALS: Final = {
    "GranteePrincipal": "kms:granteeprincipal",
    "RetiringPrincipal": "kms:retiringprincipal",
    "GranteeServicePrincipal": "kms:granteeserviceprincipal",
    "RetiringServicePrincipal": "kms:retiringserviceprincipal",
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
    if operation in ("GetKeyPolicy", "PutKeyPolicy"):
        found["kms:policyname"] = (parameters.get("PolicyName", "default"),)
    found |= _of_context(parameters.get(_CONTEXT_MEMBER.get(operation, "EncryptionContext")))
    if operation in _WITH_ALGORITHM:
        found |= _ALGORITHM
    if operation == "CreateGrant":
        found |= _of_grant(parameters)
    if alias := _alias(parameters.get("KeyId", "")):
        found["kms:requestalias"] = (alias,)
    return found


def re_encryption_keys(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The condition keys of ReEncryptTo: those of the destination."""
    found = _of_context(parameters.get("DestinationEncryptionContext"))
    alias = _alias(parameters["DestinationKeyId"])
    return found | _ALGORITHM | ({"kms:requestalias": (alias,)} if alias else {})


def _of_context(context: Mapping[str, str] | None) -> dict[str, tuple[str, ...]]:
    """Of an encryption context: its keys, and the values of each; policies know them in any case."""
    found: dict[str, tuple[str, ...]] = {CONTEXT_KEYS: tuple(context)} if context else {}
    for name, value in (context or {}).items():
        place = f"{CONTEXT_KEY}{name.lower()}"
        found[place] = (*found.get(place, ()), value)
    return found


def _of_grant(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of a grant that is to be made; those made here by a request are not for a resource of AWS."""
    given = parameters.get("Constraints") or {}
    limits = Constraints.of(given)
    found: dict[str, tuple[str, ...]] = {
        "kms:grantoperations": tuple(parameters.get("Operations") or ()),
        "kms:grantisforawsresource": ("false",),
        NEW_CONSTRAINTS: (limits.to_text(),),
    }
    if kinds := tuple(name for name, value in given.items() if name.startswith("EncryptionContext") and value):
        found["kms:grantconstrainttype"] = kinds
    for member, key in _GRANT_PRINCIPALS.items():
        if member in parameters:
            found[key] = (parameters[member],)
    return found


def _alias(key_id: str) -> str | None:
    if key_id.startswith(_ALIAS):
        return key_id
    name = key_name_of(key_id)
    return None if name is None else name.alias


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
