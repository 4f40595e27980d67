"""Actions: the IAM names of what can be done, and the patterns by which policies name them.

`entrepot` is a service of our own.

Spec: Service Authorization Reference, "Actions, resources, and condition keys": ECR, ECR Public, STS, IAM, KMS, EC2. Of
IAM and EC2 those that have to do with identities and endpoints of a registry. Names are compared without case.
"""

from __future__ import annotations

import re
from typing import Final

from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.wildcard import Pattern, pattern_of

_VENDOR = re.compile(r"[A-Za-z0-9.-]+")

_NAMES: Final = {
    "ecr": """
        BatchCheckLayerAvailability BatchDeleteImage BatchGetImage BatchGetRepositoryScanningConfiguration
        BatchImportUpstreamImage CompleteLayerUpload CreatePullThroughCacheRule CreateRepository
        CreateRepositoryCreationTemplate DeleteLifecyclePolicy DeletePullThroughCacheRule DeleteRegistryPolicy
        DeleteRepository DeleteRepositoryCreationTemplate DeleteRepositoryPolicy DeleteSigningConfiguration
        DeregisterPullTimeUpdateExclusion DescribeImageReplicationStatus DescribeImageScanFindings
        DescribeImageSigningStatus DescribeImages DescribePullThroughCacheRules DescribeRegistry
        DescribeReplicationBackfillResults DescribeRepositories DescribeRepositoryCreationTemplates GetAccountSetting
        GetAuthorizationToken GetDownloadUrlForLayer GetImageCopyStatus GetLifecyclePolicy GetLifecyclePolicyPreview
        GetRegistryPolicy GetRegistryScanningConfiguration GetRepositoryPolicy GetSigningConfiguration
        InitiateLayerUpload ListImageReferrers ListImages ListPullTimeUpdateExclusions ListReplicationBackfills
        ListTagsForResource PutAccountSetting PutImage PutImageScanningConfiguration PutImageTagMutability
        PutLifecyclePolicy PutRegistryPolicy PutRegistryScanningConfiguration PutReplicationConfiguration
        PutSigningConfiguration RegisterPullTimeUpdateExclusion ReplicateImage SetRepositoryPolicy StartImageScan
        StartLifecyclePolicyPreview StartReplicationBackfill StopReplicationBackfill TagResource UntagResource
        UpdateImageStorageClass UpdatePullThroughCacheRule UpdateRepositoryCreationTemplate UploadLayerPart
        ValidatePullThroughCacheRule
        """,
    "ecr-public": """
        BatchCheckLayerAvailability BatchDeleteImage CompleteLayerUpload CreateRepository DeleteRepository
        DeleteRepositoryPolicy DescribeImageTags DescribeImages DescribeRegistries DescribeRepositories
        GetAuthorizationToken GetRegistryCatalogData GetRepositoryCatalogData GetRepositoryPolicy InitiateLayerUpload
        ListTagsForResource PutImage PutRegistryCatalogData PutRepositoryCatalogData SetRepositoryPolicy TagResource
        UntagResource UploadLayerPart
        """,
    "sts": """
        AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot DecodeAuthorizationMessage GetAccessKeyInfo
        GetCallerIdentity GetDelegatedAccessToken GetFederationToken GetServiceBearerToken GetSessionToken
        GetWebIdentityToken SetSourceIdentity TagSession
        """,
    "iam": """
        AddClientIDToOpenIDConnectProvider AddRoleToInstanceProfile AddUserToGroup AttachGroupPolicy AttachRolePolicy
        AttachUserPolicy CreateAccessKey CreateAccountAlias CreateGroup CreateInstanceProfile
        CreateOpenIDConnectProvider CreatePolicy CreatePolicyVersion CreateRole CreateServiceLinkedRole CreateUser
        DeleteAccessKey DeleteAccountAlias DeleteGroup DeleteGroupPolicy DeleteInstanceProfile DeleteLoginProfile
        DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole DeleteRolePermissionsBoundary
        DeleteRolePolicy DeleteUser DeleteUserPermissionsBoundary DeleteUserPolicy DetachGroupPolicy DetachRolePolicy
        DetachUserPolicy GetAccessKeyLastUsed GetAccountAuthorizationDetails GetAccountSummary
        GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy GetGroup GetGroupPolicy GetInstanceProfile
        GetLoginProfile GetOpenIDConnectProvider GetPolicy GetPolicyVersion GetRole GetRolePolicy GetUser GetUserPolicy
        ListAccessKeys ListAccountAliases ListAttachedGroupPolicies ListAttachedRolePolicies ListAttachedUserPolicies
        ListEntitiesForPolicy ListGroupPolicies ListGroups ListGroupsForUser ListInstanceProfileTags
        ListInstanceProfiles ListInstanceProfilesForRole ListMFADevices ListOpenIDConnectProviderTags
        ListOpenIDConnectProviders ListPolicies ListPolicyTags ListPolicyVersions ListRolePolicies ListRoleTags
        ListRoles ListSSHPublicKeys ListServiceSpecificCredentials ListSigningCertificates ListUserPolicies ListUserTags
        ListUsers ListVirtualMFADevices PassRole PutGroupPolicy PutRolePermissionsBoundary PutRolePolicy
        PutUserPermissionsBoundary PutUserPolicy RemoveClientIDFromOpenIDConnectProvider RemoveRoleFromInstanceProfile
        RemoveUserFromGroup SetDefaultPolicyVersion SimulateCustomPolicy SimulatePrincipalPolicy TagInstanceProfile
        TagOpenIDConnectProvider TagPolicy TagRole TagUser UntagInstanceProfile UntagOpenIDConnectProvider UntagPolicy
        UntagRole UntagUser UpdateAccessKey UpdateAssumeRolePolicy UpdateGroup UpdateOpenIDConnectProviderThumbprint
        UpdateRole UpdateRoleDescription UpdateUser
        """,
    "kms": """
        CancelKeyDeletion CreateAlias CreateGrant CreateKey Decrypt DeleteAlias DescribeKey DisableKey
        DisableKeyRotation EnableKey EnableKeyRotation Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext
        GenerateRandom ListKeyRotations RotateKeyOnDemand
        GetKeyPolicy GetKeyRotationStatus ListAliases ListGrants ListKeyPolicies ListKeys ListResourceTags
        ListRetirableGrants PutKeyPolicy ReEncryptFrom ReEncryptTo RetireGrant RevokeGrant ScheduleKeyDeletion
        TagResource UntagResource UpdateAlias UpdateKeyDescription
        """,
    "entrepot": "CreateRobotToken DeleteRobotToken DescribeRobotTokens",
    "ec2": """
        CreateTags CreateVpcEndpoint DeleteTags DeleteVpcEndpoints DescribeAvailabilityZones DescribeNetworkInterfaces
        DescribePrefixLists DescribeRegions DescribeRouteTables DescribeSecurityGroups DescribeSubnets DescribeTags
        DescribeVpcEndpointServices DescribeVpcEndpoints DescribeVpcs ModifyVpcEndpoint
        """,
}

ACTIONS: Final = tuple(f"{service}:{name}" for service, names in _NAMES.items() for name in names.split())
"""Every action that a policy of ours can open or close."""

KEY_ACTIONS_FOR_ALL: Final = frozenset(
    {
        "kms:creategrant",
        "kms:decrypt",
        "kms:describekey",
        "kms:encrypt",
        "kms:generatedatakey",
        "kms:generatedatakeywithoutplaintext",
        "kms:getkeyrotationstatus",
        "kms:listgrants",
        "kms:reencryptfrom",
        "kms:reencryptto",
        "kms:retiregrant",
        "kms:revokegrant",
    }
)
"""What a key's policy can allow other accounts, in lower case; the rest is its own account's, whatever it says."""

ALIAS_ACTIONS: Final = frozenset({"kms:createalias", "kms:deletealias", "kms:updatealias"})
"""What is done to an alias itself, in lower case; all else that names one means its key."""

TRUST_ACTIONS: Final = frozenset(
    {
        "sts:assumerole",
        "sts:assumerolewithsaml",
        "sts:assumerolewithwebidentity",
        "sts:setsourceidentity",
        "sts:tagsession",
    }
)
"""What a role's trust policy may speak of, in lower case."""

_ECR: Final = frozenset(action.lower() for action in ACTIONS if action.startswith("ecr:"))

IDENTITY_ONLY: Final = "ecr:getauthorizationtoken"
"""Decided by identity policies alone."""

REGISTRY_ACTIONS: Final = _ECR - {IDENTITY_ONLY}
"""What a registry policy decides where its scope is V2, in lower case."""

REGISTRY_V1_ACTIONS: Final = frozenset({"ecr:createrepository", "ecr:replicateimage", "ecr:batchimportupstreamimage"})
"""What it decides where its scope is V1."""

_OF_NO_REPOSITORY: Final = """
    CreatePullThroughCacheRule CreateRepositoryCreationTemplate DeletePullThroughCacheRule DeleteRegistryPolicy
    DeleteRepositoryCreationTemplate DeleteSigningConfiguration DeregisterPullTimeUpdateExclusion
    DescribePullThroughCacheRules DescribeRegistry DescribeReplicationBackfillResults
    DescribeRepositoryCreationTemplates GetAccountSetting GetAuthorizationToken GetRegistryPolicy
    GetRegistryScanningConfiguration GetSigningConfiguration ListPullTimeUpdateExclusions ListReplicationBackfills
    PutAccountSetting PutRegistryPolicy PutRegistryScanningConfiguration PutReplicationConfiguration
    PutSigningConfiguration RegisterPullTimeUpdateExclusion StartReplicationBackfill StopReplicationBackfill
    UpdatePullThroughCacheRule UpdateRepositoryCreationTemplate ValidatePullThroughCacheRule
    """

REPOSITORY_ACTIONS: Final = _ECR - {f"ecr:{name.lower()}" for name in _OF_NO_REPOSITORY.split()}
"""What the policy of a repository decides, in lower case."""


def action_pattern(text: str) -> Pattern:
    """The pattern of an Action or NotAction; it matches names in lower case."""
    return pattern_of(text.lower())


def expand(text: str) -> tuple[str, ...]:
    """The known actions that a pattern such as `ecr:Get*` names."""
    pattern = action_pattern(text)
    return tuple(action for action in ACTIONS if pattern.matches(action.lower()))


def check_vendor(text: str, position: str) -> None:
    """Check that an action names its service, the first thing that IAM looks at.

    Raises:
        PolicyInvalid: no colon, and not `*`.
    """
    if ":" not in text and text != "*":
        raise PolicyInvalid(Fault.NO_VENDOR, position)


def check_action(text: str, position: str) -> None:
    """Check the form of an action: `*`, or a service without wildcards, a colon, and a name with or without.

    Raises:
        PolicyInvalid: more than one colon, or not a service.
    """
    vendor, _, name = text.partition(":")
    if ":" in name:
        raise PolicyInvalid(Fault.COLONS, position)
    if vendor != "*" and not _VENDOR.fullmatch(vendor):
        raise PolicyInvalid(Fault.VENDOR, position, found=vendor)
