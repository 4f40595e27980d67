"""What users cannot have here, looked for and removed by programs that clean up after a user: there is none of it.

ListMFADevices, ListVirtualMFADevices, ListSigningCertificates, ListSSHPublicKeys, ListServiceSpecificCredentials,
GetLoginProfile and DeleteLoginProfile. The operations that would make one stand as missing.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam_error import EntityNotFound
from entrepot.domain.page import Page
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.iam.subject import user_name_of
from entrepot.transport.aws.resource import ResourceKind


async def list_virtual_mfa_devices(call: Call) -> dict[str, Any]:
    return paging_of(call).answer("VirtualMFADevices", Page([]), str)


async def no_login_profile(call: Call) -> dict[str, Any]:
    raise EntityNotFound("login profile", await _name_of_user(call) or call.caller.account_id)


def _list_of(member: str) -> Handler:
    async def list_none(call: Call) -> dict[str, Any]:
        await _name_of_user(call)
        return paging_of(call).answer(member, Page([]), str)

    return list_none


async def _name_of_user(call: Call) -> str | None:
    """The name of the user, who exists; None of root."""
    name = user_name_of(call)
    return None if name is None else (await call.services.iam_user.get(call.caller.account_id, name)).entity.name


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "DeleteLoginProfile": (ResourceKind.USER, no_login_profile),
    "GetLoginProfile": (ResourceKind.USER, no_login_profile),
    "ListMFADevices": (ResourceKind.USER, _list_of("MFADevices")),
    "ListSSHPublicKeys": (ResourceKind.USER, _list_of("SSHPublicKeys")),
    "ListServiceSpecificCredentials": (ResourceKind.USER, _list_of("ServiceSpecificCredentials")),
    "ListSigningCertificates": (ResourceKind.USER, _list_of("Certificates")),
    "ListVirtualMFADevices": (ResourceKind.ANY, list_virtual_mfa_devices),
}
