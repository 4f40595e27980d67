"""ECR's operations.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for Amazon ECR".
"""

from __future__ import annotations

from typing import Final

from entrepot.transport.aws.ecr import (
    account_setting,
    authorization_token,
    image,
    layer,
    referrer,
    registry_policy,
    repository,
    repository_policy,
    resource_tag,
)
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import row

_ANY, _REPOSITORY, _REPOSITORIES = ResourceKind.ANY, ResourceKind.REPOSITORY, ResourceKind.REPOSITORIES
_TAGGED = ResourceKind.TAGGED

ROWS: Final = (
    row("ecr", "BatchCheckLayerAvailability", _REPOSITORY, layer.batch_check_layer_availability),
    row("ecr", "BatchDeleteImage", _REPOSITORY, image.batch_delete_image),
    row("ecr", "BatchGetImage", _REPOSITORY, image.batch_get_image),
    row("ecr", "BatchGetRepositoryScanningConfiguration", _REPOSITORIES),
    row("ecr", "CompleteLayerUpload", _REPOSITORY, layer.complete_layer_upload),
    row("ecr", "CreatePullThroughCacheRule", _ANY),
    row("ecr", "CreateRepository", _REPOSITORY, repository.create_repository, also=(("ecr:TagResource", "tags"),)),
    row("ecr", "CreateRepositoryCreationTemplate", _ANY),
    row("ecr", "DeleteLifecyclePolicy", _REPOSITORY),
    row("ecr", "DeletePullThroughCacheRule", _ANY),
    row("ecr", "DeleteRegistryPolicy", _ANY, registry_policy.delete_registry_policy),
    row("ecr", "DeleteRepository", _REPOSITORY, repository.delete_repository),
    row("ecr", "DeleteRepositoryCreationTemplate", _ANY),
    row("ecr", "DeleteRepositoryPolicy", _REPOSITORY, repository_policy.delete_repository_policy),
    row("ecr", "DeleteSigningConfiguration", _ANY),
    row("ecr", "DeregisterPullTimeUpdateExclusion", _ANY),
    row("ecr", "DescribeImageReplicationStatus", _REPOSITORY),
    row("ecr", "DescribeImageScanFindings", _REPOSITORY),
    row("ecr", "DescribeImageSigningStatus", _REPOSITORY),
    row("ecr", "DescribeImages", _REPOSITORY, image.describe_images),
    row("ecr", "DescribePullThroughCacheRules", _ANY),
    row("ecr", "DescribeRegistry", _ANY),
    row("ecr", "DescribeReplicationBackfillResults", _ANY),
    row("ecr", "DescribeRepositories", _REPOSITORIES, repository.describe_repositories),
    row("ecr", "DescribeRepositoryCreationTemplates", _ANY),
    row("ecr", "GetAccountSetting", _ANY, account_setting.get_account_setting),
    row("ecr", "GetAuthorizationToken", _ANY, authorization_token.get_authorization_token),
    row("ecr", "GetDownloadUrlForLayer", _REPOSITORY, layer.get_download_url_for_layer),
    row("ecr", "GetLifecyclePolicy", _REPOSITORY),
    row("ecr", "GetLifecyclePolicyPreview", _REPOSITORY),
    row("ecr", "GetRegistryPolicy", _ANY, registry_policy.get_registry_policy),
    row("ecr", "GetRegistryScanningConfiguration", _ANY),
    row("ecr", "GetRepositoryPolicy", _REPOSITORY, repository_policy.get_repository_policy),
    row("ecr", "GetSigningConfiguration", _ANY),
    row("ecr", "InitiateLayerUpload", _REPOSITORY, layer.initiate_layer_upload),
    row("ecr", "ListImageReferrers", _REPOSITORY, referrer.list_image_referrers, action="BatchGetImage"),
    row("ecr", "ListImages", _REPOSITORY, image.list_images),
    row("ecr", "ListPullTimeUpdateExclusions", _ANY),
    row("ecr", "ListReplicationBackfills", _ANY),
    row("ecr", "ListTagsForResource", _TAGGED, resource_tag.list_tags_for_resource),
    row("ecr", "PutAccountSetting", _ANY, account_setting.put_account_setting),
    row("ecr", "PutImage", _REPOSITORY, image.put_image),
    row("ecr", "PutImageScanningConfiguration", _REPOSITORY, repository.put_image_scanning_configuration),
    row("ecr", "PutImageTagMutability", _REPOSITORY, repository.put_image_tag_mutability),
    row("ecr", "PutLifecyclePolicy", _REPOSITORY),
    row("ecr", "PutRegistryPolicy", _ANY, registry_policy.put_registry_policy),
    row("ecr", "PutRegistryScanningConfiguration", _ANY),
    row("ecr", "PutReplicationConfiguration", _ANY),
    row("ecr", "PutSigningConfiguration", _ANY),
    row("ecr", "RegisterPullTimeUpdateExclusion", _ANY),
    row("ecr", "SetRepositoryPolicy", _REPOSITORY, repository_policy.set_repository_policy),
    row("ecr", "StartImageScan", _REPOSITORY),
    row("ecr", "StartLifecyclePolicyPreview", _REPOSITORY),
    row("ecr", "StartReplicationBackfill", _ANY),
    row("ecr", "StopReplicationBackfill", _ANY),
    row("ecr", "TagResource", _TAGGED, resource_tag.tag_resource),
    row("ecr", "UntagResource", _TAGGED, resource_tag.untag_resource),
    row("ecr", "UpdateImageStorageClass", _REPOSITORY),
    row("ecr", "UpdatePullThroughCacheRule", _ANY),
    row("ecr", "UpdateRepositoryCreationTemplate", _ANY),
    row("ecr", "UploadLayerPart", _REPOSITORY, layer.upload_layer_part),
    row("ecr", "ValidatePullThroughCacheRule", _ANY),
)
