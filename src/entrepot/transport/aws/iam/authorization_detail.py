"""Authorization details: GetAccountAuthorizationDetails.

Members are present and absent as in AWS's answers: a user without inline policies has no UserPolicyList, a role and a
group have an empty list. Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.service.iam.authorization_detail import DetailKind, HolderDetail, PolicyDetail
from entrepot.service.iam.role import Role
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.attachment import pack_attached
from entrepot.transport.aws.iam.document import encode_document
from entrepot.transport.aws.iam.entity import pack_attributes, pack_group, pack_role, pack_tag, pack_user
from entrepot.transport.aws.iam.instance_profile import pack_profile
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.iam.policy import pack_policy
from entrepot.transport.aws.iam.policy_version import pack_whole_version
from entrepot.transport.aws.resource import ResourceKind


async def get_account_authorization_details(call: Call) -> dict[str, Any]:
    paging, wanted = paging_of(call), call.parameters.get("Filter") or [kind.value for kind in DetailKind]
    page = await call.services.iam_authorization_detail.list(
        call.caller.account_id, {DetailKind(kind) for kind in wanted}, paging.request
    )
    holders = [detail for detail in page.items if isinstance(detail, HolderDetail)]
    policies = [detail for detail in page.items if isinstance(detail, PolicyDetail)]
    return {
        **paging.answer("Policies", page, str),
        "UserDetailList": [_pack_user(detail) for detail in holders if detail.entity.kind is EntityKind.USER],
        "GroupDetailList": [_pack_group(detail) for detail in holders if detail.entity.kind is EntityKind.GROUP],
        "RoleDetailList": [_pack_role(detail, detail.role) for detail in holders if detail.role is not None],
        "Policies": [_pack_policy(detail) for detail in policies],
    }


def _pack_user(detail: HolderDetail) -> dict[str, Any]:
    return {
        **pack_user(detail.entity),
        **_pack_what_holders_have(detail),
        "UserPolicyList": _pack_inline(detail) or None,
        "GroupList": list(detail.groups),
        "Tags": _pack_tags(detail),
    }


def _pack_group(detail: HolderDetail) -> dict[str, Any]:
    return {
        **pack_group(detail.entity),
        **_pack_what_holders_have(detail),
        "GroupPolicyList": _pack_inline(detail),
    }


def _pack_role(detail: HolderDetail, role: Role) -> dict[str, Any]:
    return {
        **pack_role(detail.entity),
        **_pack_what_holders_have(detail),
        "AssumeRolePolicyDocument": encode_document(role.trust_policy),
        "InstanceProfileList": [pack_profile(profile) for profile in detail.profiles],
        "RolePolicyList": _pack_inline(detail),
        "Tags": _pack_tags(detail),
        "RoleLastUsed": {"LastUsedDate": role.used_at, "Region": role.used_region},
    }


def _pack_what_holders_have(detail: HolderDetail) -> dict[str, Any]:
    return {
        **pack_attributes(detail.entity, {}),
        "AttachedManagedPolicies": [pack_attached(arn) for arn in detail.attached],
    }


def _pack_inline(detail: HolderDetail) -> list[dict[str, str]]:
    return [{"PolicyName": name, "PolicyDocument": encode_document(document)} for name, document in detail.inline]


def _pack_tags(detail: HolderDetail) -> list[dict[str, str]]:
    return [pack_tag(tag) for tag in detail.tags.items()]


def _pack_policy(detail: PolicyDetail) -> dict[str, Any]:
    versions = [pack_whole_version(version) for version in detail.versions]
    return {
        **pack_policy(detail.policy),
        "Description": detail.policy.policy.description or None,
        "PolicyVersionList": versions,
    }


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "GetAccountAuthorizationDetails": (ResourceKind.ANY, get_account_authorization_details),
}
