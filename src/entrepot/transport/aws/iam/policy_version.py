"""Versions of managed policies: Create-, Get-, List-, Delete- and SetDefault-PolicyVersion.

    {"VersionId": "v2", "IsDefaultVersion": true, "CreateDate": …, "Document": "%7B…"}

Only GetPolicyVersion says the document. Spec: IAM API, version 2010-05-08, PolicyVersion.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.managed_policy import PolicyVersion
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.document import encode_document
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def create_policy_version(call: Call) -> dict[str, Any]:
    given = call.parameters
    made = await call.services.iam_policy_version.create(
        call.caller.account_id,
        given["PolicyArn"],
        given["PolicyDocument"],
        is_default=given.get("SetAsDefault", False),
    )
    return {"PolicyVersion": _pack(made)}


async def get_policy_version(call: Call) -> dict[str, Any]:
    found = await call.services.iam_policy_version.get(*_named(call))
    return {"PolicyVersion": pack_whole_version(found)}


async def list_policy_versions(call: Call) -> dict[str, Any]:
    paging = paging_of(call)
    page = await call.services.iam_policy_version.list(
        call.caller.account_id, call.parameters["PolicyArn"], paging.request
    )
    return paging.answer("Versions", page, _pack)


async def delete_policy_version(call: Call) -> dict[str, Any]:
    await call.services.iam_policy_version.delete(*_named(call))
    return {}


async def set_default_policy_version(call: Call) -> dict[str, Any]:
    await call.services.iam_policy_version.set_default(*_named(call))
    return {}


def pack_whole_version(version: PolicyVersion) -> dict[str, Any]:
    """A version with its document."""
    return {**_pack(version), "Document": encode_document(version.document)}


def _pack(version: PolicyVersion) -> dict[str, Any]:
    return {"VersionId": version.id, "IsDefaultVersion": version.is_default, "CreateDate": version.created_at}


def _named(call: Call) -> tuple[str, str, str]:
    return call.caller.account_id, call.parameters["PolicyArn"], call.parameters["VersionId"]


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreatePolicyVersion": (ResourceKind.POLICY, create_policy_version),
    "DeletePolicyVersion": (ResourceKind.POLICY, delete_policy_version),
    "GetPolicyVersion": (ResourceKind.POLICY, get_policy_version),
    "ListPolicyVersions": (ResourceKind.POLICY, list_policy_versions),
    "SetDefaultPolicyVersion": (ResourceKind.POLICY, set_default_policy_version),
}
