"""Accounts: GetAccountSummary, CreateAccountAlias, ListAccountAliases and DeleteAccountAlias.

Spec: IAM API, version 2010-05-08. What this server does not have (passwords, MFA devices, certificates, instance
profiles) counts as none.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain import iam_limit as limit
from entrepot.domain.iam import EntityKind
from entrepot.domain.page import slice_page
from entrepot.service.iam.account import AccountSummary
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind

_USER, _GROUP, _ROLE, _POLICY = EntityKind.USER, EntityKind.GROUP, EntityKind.ROLE, EntityKind.POLICY

QUOTAS: Final = {
    "AccessKeysPerUserQuota": limit.ACCESS_KEYS.most,
    "AssumeRolePolicySizeQuota": limit.TRUST_LENGTH_MAX,
    "AttachedPoliciesPerGroupQuota": limit.ATTACHED_POLICIES[_GROUP].most,
    "AttachedPoliciesPerRoleQuota": limit.ATTACHED_POLICIES[_ROLE].most,
    "AttachedPoliciesPerUserQuota": limit.ATTACHED_POLICIES[_USER].most,
    "GroupPolicySizeQuota": limit.INLINE_LENGTH_MAX[_GROUP],
    "GroupsPerUserQuota": limit.GROUPS_OF_USER.most,
    "GroupsQuota": limit.ENTITIES[_GROUP].most,
    "InstanceProfilesQuota": limit.ENTITIES[EntityKind.INSTANCE_PROFILE].most,
    "PoliciesQuota": limit.ENTITIES[_POLICY].most,
    "PolicySizeQuota": limit.POLICY_LENGTH_MAX,
    "PolicyVersionsInUseQuota": limit.POLICY_VERSIONS_OF_ACCOUNT.most,
    "RolePolicySizeQuota": limit.INLINE_LENGTH_MAX[_ROLE],
    "RolesQuota": limit.ENTITIES[_ROLE].most,
    "ServerCertificatesQuota": limit.SERVER_CERTIFICATES_MAX,
    "SigningCertificatesPerUserQuota": limit.SIGNING_CERTIFICATES_MAX,
    "UserPolicySizeQuota": limit.INLINE_LENGTH_MAX[_USER],
    "UsersQuota": limit.ENTITIES[_USER].most,
    "VersionsPerPolicyQuota": limit.POLICY_VERSIONS.most,
}

NONE: Final = dict.fromkeys(
    (
        "AccountMFAEnabled",
        "AccountPasswordPresent",
        "AccountSigningCertificatesPresent",
        "MFADevices",
        "MFADevicesInUse",
        "ServerCertificates",
    ),
    0,
)

TOKEN_VERSION: Final = 1
"""Version of session tokens that the global endpoint gives. Spec: IAM API, SetSecurityTokenServicePreferences."""


async def get_account_summary(call: Call) -> dict[str, Any]:
    summary = await call.services.iam_account.summarise(call.caller.account_id)
    return {"SummaryMap": dict(sorted({**QUOTAS, **NONE, **_counts(summary)}.items()))}


def _counts(summary: AccountSummary) -> dict[str, int]:
    return {
        "AccountAccessKeysPresent": int(summary.has_root_keys),
        "GlobalEndpointTokenVersion": TOKEN_VERSION,
        "Groups": summary.entities[_GROUP],
        "InstanceProfiles": summary.entities[EntityKind.INSTANCE_PROFILE],
        "Policies": summary.entities[_POLICY],
        "PolicyVersionsInUse": summary.policy_versions,
        "Providers": summary.entities[EntityKind.PROVIDER],
        "Roles": summary.entities[_ROLE],
        "Users": summary.entities[_USER],
    }


async def list_account_aliases(call: Call) -> dict[str, Any]:
    paging = paging_of(call)
    page = slice_page(await call.services.iam_account.list_aliases(call.caller.account_id), paging.request)
    return paging.answer("AccountAliases", page, str)


async def create_account_alias(call: Call) -> dict[str, Any]:
    await call.services.iam_account.set_alias(call.caller.account_id, call.parameters["AccountAlias"])
    return {}


async def delete_account_alias(call: Call) -> dict[str, Any]:
    await call.services.iam_account.delete_alias(call.caller.account_id, call.parameters["AccountAlias"])
    return {}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateAccountAlias": (ResourceKind.ANY, create_account_alias),
    "DeleteAccountAlias": (ResourceKind.ANY, delete_account_alias),
    "GetAccountSummary": (ResourceKind.ANY, get_account_summary),
    "ListAccountAliases": (ResourceKind.ANY, list_account_aliases),
}
