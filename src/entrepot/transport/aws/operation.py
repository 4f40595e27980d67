"""The table of operations: each one's handler, IAM action and resource.

Every operation of every model that we speak has a row; a test compares them. One without a handler answers
UnknownOperationException and stands as missing in the coverage page.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for Amazon ECR".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from entrepot.domain.limit import LAYER_PART_BYTES_MAX, MANIFEST_BYTES_MAX, MIB
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.ecr import authorization_token, image, layer, referrer, repository, resource_tag
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.sts import caller_identity

BODY_BYTES_MAX: Final = MIB
"""Largest body of an operation that has no row of its own below: far above every limit of its shape."""

_ENVELOPE: Final = 64 * 1024
"""Room for the members beside the large one."""

BODY_BYTES_MAX_OF: Final = {
    # Base64 with its slashes escaped, and one past the limit must still be told as such.
    ("ecr", "UploadLayerPart"): LAYER_PART_BYTES_MAX * 4 // 3 + 2 * MIB,
    # JSON may spell every character of the manifest as \uXXXX.
    ("ecr", "PutImage"): MANIFEST_BYTES_MAX * 6 + _ENVELOPE,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of one service."""

    service: str
    name: str
    resource: ResourceKind
    handler: Handler | None
    action: str
    also: tuple[tuple[str, str], ...] = ()
    """Further actions, each with the member whose presence demands it."""

    async def answer(self, call: Call) -> dict[str, Any]:
        """Run the handler of a row that has one."""
        if self.handler is None:
            raise LookupError(self.name)
        return await self.handler(call)

    @property
    def body_bytes_max(self) -> int:
        """Bytes of the largest body that is read."""
        return BODY_BYTES_MAX_OF.get((self.service, self.name), BODY_BYTES_MAX)


def _row(
    service: str,
    name: str,
    resource: ResourceKind,
    handler: Handler | None = None,
    *,
    action: str | None = None,
    also: tuple[tuple[str, str], ...] = (),
) -> Row:
    return Row(service, name, resource, handler, f"{service}:{action or name}", also)


_ANY, _REPOSITORY, _REPOSITORIES = ResourceKind.ANY, ResourceKind.REPOSITORY, ResourceKind.REPOSITORIES
_TAGGED, _ROLE, _NONE = ResourceKind.TAGGED, ResourceKind.ROLE, ResourceKind.NONE

_ECR: Final = (
    _row("ecr", "BatchCheckLayerAvailability", _REPOSITORY, layer.batch_check_layer_availability),
    _row("ecr", "BatchDeleteImage", _REPOSITORY, image.batch_delete_image),
    _row("ecr", "BatchGetImage", _REPOSITORY, image.batch_get_image),
    _row("ecr", "BatchGetRepositoryScanningConfiguration", _REPOSITORIES),
    _row("ecr", "CompleteLayerUpload", _REPOSITORY, layer.complete_layer_upload),
    _row("ecr", "CreatePullThroughCacheRule", _ANY),
    _row("ecr", "CreateRepository", _REPOSITORY, repository.create_repository, also=(("ecr:TagResource", "tags"),)),
    _row("ecr", "CreateRepositoryCreationTemplate", _ANY),
    _row("ecr", "DeleteLifecyclePolicy", _REPOSITORY),
    _row("ecr", "DeletePullThroughCacheRule", _ANY),
    _row("ecr", "DeleteRegistryPolicy", _ANY),
    _row("ecr", "DeleteRepository", _REPOSITORY, repository.delete_repository),
    _row("ecr", "DeleteRepositoryCreationTemplate", _ANY),
    _row("ecr", "DeleteRepositoryPolicy", _REPOSITORY),
    _row("ecr", "DeleteSigningConfiguration", _ANY),
    _row("ecr", "DeregisterPullTimeUpdateExclusion", _ANY),
    _row("ecr", "DescribeImageReplicationStatus", _REPOSITORY),
    _row("ecr", "DescribeImageScanFindings", _REPOSITORY),
    _row("ecr", "DescribeImageSigningStatus", _REPOSITORY),
    _row("ecr", "DescribeImages", _REPOSITORY, image.describe_images),
    _row("ecr", "DescribePullThroughCacheRules", _ANY),
    _row("ecr", "DescribeRegistry", _ANY),
    _row("ecr", "DescribeReplicationBackfillResults", _ANY),
    _row("ecr", "DescribeRepositories", _REPOSITORIES, repository.describe_repositories),
    _row("ecr", "DescribeRepositoryCreationTemplates", _ANY),
    _row("ecr", "GetAccountSetting", _ANY),
    _row("ecr", "GetAuthorizationToken", _ANY, authorization_token.get_authorization_token),
    _row("ecr", "GetDownloadUrlForLayer", _REPOSITORY, layer.get_download_url_for_layer),
    _row("ecr", "GetLifecyclePolicy", _REPOSITORY),
    _row("ecr", "GetLifecyclePolicyPreview", _REPOSITORY),
    _row("ecr", "GetRegistryPolicy", _ANY),
    _row("ecr", "GetRegistryScanningConfiguration", _ANY),
    _row("ecr", "GetRepositoryPolicy", _REPOSITORY),
    _row("ecr", "GetSigningConfiguration", _ANY),
    _row("ecr", "InitiateLayerUpload", _REPOSITORY, layer.initiate_layer_upload),
    _row("ecr", "ListImageReferrers", _REPOSITORY, referrer.list_image_referrers, action="BatchGetImage"),
    _row("ecr", "ListImages", _REPOSITORY, image.list_images),
    _row("ecr", "ListPullTimeUpdateExclusions", _ANY),
    _row("ecr", "ListReplicationBackfills", _ANY),
    _row("ecr", "ListTagsForResource", _TAGGED, resource_tag.list_tags_for_resource),
    _row("ecr", "PutAccountSetting", _ANY),
    _row("ecr", "PutImage", _REPOSITORY, image.put_image),
    _row("ecr", "PutImageScanningConfiguration", _REPOSITORY, repository.put_image_scanning_configuration),
    _row("ecr", "PutImageTagMutability", _REPOSITORY, repository.put_image_tag_mutability),
    _row("ecr", "PutLifecyclePolicy", _REPOSITORY),
    _row("ecr", "PutRegistryPolicy", _ANY),
    _row("ecr", "PutRegistryScanningConfiguration", _ANY),
    _row("ecr", "PutReplicationConfiguration", _ANY),
    _row("ecr", "PutSigningConfiguration", _ANY),
    _row("ecr", "RegisterPullTimeUpdateExclusion", _ANY),
    _row("ecr", "SetRepositoryPolicy", _REPOSITORY),
    _row("ecr", "StartImageScan", _REPOSITORY),
    _row("ecr", "StartLifecyclePolicyPreview", _REPOSITORY),
    _row("ecr", "StartReplicationBackfill", _ANY),
    _row("ecr", "StopReplicationBackfill", _ANY),
    _row("ecr", "TagResource", _TAGGED, resource_tag.tag_resource),
    _row("ecr", "UntagResource", _TAGGED, resource_tag.untag_resource),
    _row("ecr", "UpdateImageStorageClass", _REPOSITORY),
    _row("ecr", "UpdatePullThroughCacheRule", _ANY),
    _row("ecr", "UpdateRepositoryCreationTemplate", _ANY),
    _row("ecr", "UploadLayerPart", _REPOSITORY, layer.upload_layer_part),
    _row("ecr", "ValidatePullThroughCacheRule", _ANY),
)

_STS: Final = (
    _row("sts", "AssumeRole", _ROLE),
    _row("sts", "AssumeRoleWithSAML", _ROLE),
    _row("sts", "AssumeRoleWithWebIdentity", _ROLE),
    _row("sts", "AssumeRoot", _ANY),
    _row("sts", "DecodeAuthorizationMessage", _ANY),
    _row("sts", "GetAccessKeyInfo", _ANY),
    _row("sts", "GetCallerIdentity", _NONE, caller_identity.get_caller_identity),
    _row("sts", "GetDelegatedAccessToken", _ANY),
    _row("sts", "GetFederationToken", _ANY),
    _row("sts", "GetSessionToken", _NONE),
    _row("sts", "GetWebIdentityToken", _ANY),
)

OPERATIONS: Final[dict[tuple[str, str], Row]] = {(row.service, row.name): row for row in (*_ECR, *_STS)}
"""Rows by service and name of the operation."""


def find_operation(service: str, name: str) -> Row | None:
    """The row of an operation that has a handler; None for any other name."""
    row = OPERATIONS.get((service, name))
    return None if row is None or row.handler is None else row


def coverage_table() -> str:
    """The operations as a Markdown table, for the documents."""
    lines = ["| service | operation | status | IAM action | resource |", "|---|---|---|---|---|"]
    for row in OPERATIONS.values():
        status = "missing" if row.handler is None else "works"
        actions = ", ".join((f"`{row.action}`", *(f"`{action}` with `{member}`" for action, member in row.also)))
        lines.append(f"| {row.service} | {row.name} | {status} | {actions} | {row.resource} |")
    return "\n".join(lines) + "\n"
