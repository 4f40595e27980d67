"""Access keys: CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey and GetAccessKeyLastUsed.

Spec: IAM API, version 2010-05-08. Keys of root come without a user name.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam_error import InvalidInput, UnknownAccessKey
from entrepot.domain.identity import KeyState, KeyUse
from entrepot.service.iam.access_key import Owner
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.iam.subject import user_name_of
from entrepot.transport.aws.resource import ResourceKind

_NEVER: Final = "N/A"
_STATES: Final = {"Active": True, "Inactive": False}


async def create_access_key(call: Call) -> dict[str, Any]:
    made = await call.services.iam_access_key.create(_owner(call))
    return {"AccessKey": {**_pack(made.user_name, made.state), "SecretAccessKey": made.secret}}


async def list_access_keys(call: Call) -> dict[str, Any]:
    paging = paging_of(call)
    name, page = await call.services.iam_access_key.list(_owner(call), paging.request)
    return paging.answer("AccessKeyMetadata", page, lambda state: _pack(name, state))


async def update_access_key(call: Call) -> dict[str, Any]:
    status = call.parameters["Status"]
    if status not in _STATES:
        raise InvalidInput(f"The status of an access key can be set to Active or Inactive, not to {status}.")
    key_id = call.parameters["AccessKeyId"]
    await call.services.iam_access_key.set_active(_owner(call), key_id, _STATES[status])
    return {}


async def delete_access_key(call: Call) -> dict[str, Any]:
    await call.services.iam_access_key.delete(_owner(call), call.parameters["AccessKeyId"])
    return {}


async def get_access_key_last_used(call: Call) -> dict[str, Any]:
    key_id = call.parameters["AccessKeyId"]
    found = await call.services.iam_access_key.last_use(call.caller.account_id, key_id)
    if found is None:
        raise UnknownAccessKey(call.caller.principal.arn, key_id)
    name, use = found
    return {"UserName": name, "AccessKeyLastUsed": _pack_use(use)}


def _owner(call: Call) -> Owner:
    return Owner(call.caller.account_id, user_name_of(call))


def _pack(user_name: str | None, state: KeyState) -> dict[str, Any]:
    return {
        "UserName": user_name,
        "AccessKeyId": state.id,
        "Status": "Active" if state.is_active else "Inactive",
        "CreateDate": state.created_at,
    }


def _pack_use(use: KeyUse | None) -> dict[str, Any]:
    if use is None:
        return {"ServiceName": _NEVER, "Region": _NEVER}
    return {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateAccessKey": (ResourceKind.USER, create_access_key),
    "DeleteAccessKey": (ResourceKind.USER, delete_access_key),
    "GetAccessKeyLastUsed": (ResourceKind.ANY, get_access_key_last_used),
    "ListAccessKeys": (ResourceKind.USER, list_access_keys),
    "UpdateAccessKey": (ResourceKind.USER, update_access_key),
}
