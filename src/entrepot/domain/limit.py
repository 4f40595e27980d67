"""Every limit of the registry in one place, each with its unit and its source."""

from __future__ import annotations

MIB = 1024 * 1024

MANIFEST_BYTES_MAX = 4 * MIB
"""Largest manifest accepted on either plane. Spec: ECR API, PutImage imageManifest (4,194,304)."""

MANIFEST_DESCRIPTORS_MAX = 10_000
"""Most descriptors (config, layers, children) in one manifest; bounds work per push."""

JSON_DEPTH_MAX = 64
"""Deepest nesting of any JSON document we read."""

JSON_CONTAINERS_MAX = 100_000
"""Most opening brackets in one manifest: ten for each of its descriptors; bounds memory, some 60 times the text's."""

MEDIA_TYPE_LENGTH_MAX = 255
"""Characters of a media or artifact type. Spec: ECR API, ImageReferrer artifactType; RFC 6838 has 127 on each side."""

REPOSITORY_NAME_LENGTH = (2, 256)
"""Characters. Spec: ECR API, RepositoryName."""

IMAGE_TAG_LENGTH_MAX = 128
"""Characters of an image tag. Spec: OCI Distribution 1.1, "Pulling manifests"."""

LAYER_BYTES_MAX = 52_000 * MIB
"""Largest layer. Spec: ECR service quotas, maximum layer size."""

LAYER_PART_BYTES_MIN = 5 * MIB
"""Smallest part but the last of an upload made with UploadLayerPart. Spec: ECR service quotas."""

LAYER_PART_BYTES_SUGGESTED = 10 * MIB
"""The partSize that InitiateLayerUpload answers."""

LAYER_PART_BYTES_MAX = 20_971_520
"""Largest layerPartBlob. Spec: ECR API, LayerPartBlob."""

LAYER_PARTS_MAX = 4_200
"""Most parts of one upload made with UploadLayerPart. Spec: ECR service quotas."""

REPOSITORIES_MAX = 100_000
"""Repositories in one registry. Spec: ECR service quotas."""

IMAGES_MAX = 100_000
"""Images in one repository. Spec: ECR service quotas."""

IMAGE_TAGS_PER_PUSH_MAX = 50
"""Image tags beside a manifest pushed by digest. Spec: OCI Distribution after 1.1, at least 10; the answer names them
all in one header, of which many clients and proxies take 8 KiB."""

IMAGE_TAGS_PER_IMAGE_MAX = 1_000
"""Image tags on one image. Spec: ECR service quotas."""

RESOURCE_TAGS_MAX = 50
"""Resource tags on one repository. Spec: ECR API, TooManyTagsException."""

VPC_ENDPOINTS_MAX = 500
"""VPC endpoints of an account in a region: each takes a socket of every worker. AWS: 50 for each VPC."""

RESOURCE_TAG_KEY_LENGTH_MAX = 128
"""Characters. Spec: AWS tagging rules."""

RESOURCE_TAG_VALUE_LENGTH_MAX = 256
"""Characters. Spec: AWS tagging rules."""

PAGE_SIZE_DEFAULT = 100
"""Items of a page when the caller names no size. Spec: ECR API, maxResults."""

PAGE_SIZE_MAX = 1_000
"""Items of a page at most. Spec: ECR API, MaxResults."""

FILTERED_IMAGES_MAX = 10_000
"""Images that a page of a filtered list looks at; it may hold fewer than were asked for, and the list goes on."""

REFERRERS_PAGE_SIZE_DEFAULT = 20
"""Referrers of a page when the caller names no size. Spec: ECR API, ListImageReferrers."""

TOKEN_LIFETIME_SECONDS = 12 * 3600
"""Life of a registry token. Spec: ECR user guide, private registry authentication."""

ROBOT_TOKENS_MAX = 1_000
"""Valid robot tokens of one registry."""

ROBOT_TOKEN_SECONDS_MAX = 3_660 * 24 * 3600
"""Longest life of a robot token that has an end: ten years."""

ENDED_ROBOT_TOKEN_RETENTION_SECONDS = 30 * 24 * 3600
"""Robot tokens are kept for this long after they were revoked or expired: who uses one hears that it is over, and is
not counted among those who try false passwords."""

DOWNLOAD_URL_LIFETIME_SECONDS = 3600
"""Life of a download URL of GetDownloadUrlForLayer."""

ROLE_SESSION_SECONDS_DEFAULT = 3600
"""Life of a role's session when the caller names none, and the longest that a new role allows. Spec: STS API,
AssumeRole; IAM API, MaxSessionDuration."""

CHAINED_SESSION_SECONDS_MAX = 3600
"""Longest life of a role's session that is made with a role's session. Spec: IAM user guide, "Role chaining"."""

USER_SESSION_SECONDS_DEFAULT = 12 * 3600
"""Life of a session of GetSessionToken when the caller names none. Spec: STS API, GetSessionToken."""

ROOT_SESSION_SECONDS_MAX = 3600
"""Longest life of root's session of GetSessionToken, whatever the caller asks. Spec: STS API, GetSessionToken."""

SESSION_POLICY_ARNS_MAX = 10
"""Managed session policies of one session. Spec: STS API, AssumeRole."""

SESSION_POLICY_LENGTH_MAX = 2_048
"""Characters of all session policies and their ARNs together. Spec: STS API, AssumeRole."""

SESSION_PACKED_BYTES_MAX = 2_048
"""Bytes of session policies and tags once compressed. AWS has such a limit and does not tell it."""

EXPIRED_KEY_RETENTION_SECONDS = 24 * 3600
"""Temporary keys are kept for this long after their end, so that who uses one hears that it has expired."""

UPLOADS_PER_PRINCIPAL_MAX = 1_000
"""Open upload sessions of one principal, over all repositories: each holds a row and perhaps bytes for a day."""

FAILED_LOGINS_SECONDS = 60
"""Failed logins of an address are counted in windows of this length."""

FAILED_LOGIN_ADDRESSES_MAX = 10_000
"""Addresses whose failed logins one worker remembers."""

UPLOAD_LIFETIME_SECONDS = 24 * 3600
"""An upload session without progress for this long is removed."""

BLOB_PROMISE_SECONDS = 3600
"""A blob that was answered to exist is kept for at least this long, referenced or not."""

BATCH_GET_BYTES_MAX = 64 * MIB
"""Manifest bytes in one answer of BatchGetImage; bounds its memory."""

REFERRERS_PAGE_BYTES_MAX = 4 * MIB
"""Manifest bytes read for one page of referrers. Spec: OCI Distribution 1.1: a list is no larger than a manifest."""

PULL_TIME_REFRESH_SECONDS = 3600
"""An image's last pull time is written again only when it is older. ECR promises 24 h."""

EVENT_RETENTION_SECONDS = 7 * 24 * 3600
"""Events older than this are purged."""

COLLECTION_BATCH = 200
"""Links or blobs that one transaction of the collector takes: pushes wait no longer than for these."""

UPLOAD_LEASE_SECONDS = 300
"""How long what an upload has staged outlives the upload: writers that took their lease before have begun by then."""

PUBLISH_HOLD_SECONDS = 60
"""How long the right to publish an upload in a shared store outlives a publisher that died or stands still."""

JOB_LEASE_SECONDS = 60
"""A worker that has not renewed its hold on a job for this long has lost it; it renews four times as often."""

JOB_ATTEMPTS_MAX = 10
"""Attempts at a job before it is a dead letter: with the waits below, about an hour and a half."""

JOB_RETRY_SECONDS_FIRST = 10
"""Longest wait after the first failure of a job; it doubles with each further one."""

JOB_RETRY_SECONDS_MAX = 3600
"""Longest wait between two attempts at a job."""

JOB_ERROR_LENGTH_MAX = 1_000
"""Characters of a job's last error that are kept."""

JOB_HISTORY_SECONDS = 7 * 24 * 3600
"""Jobs that are done are forgotten after this."""

DEAD_JOB_HISTORY_SECONDS = 30 * 24 * 3600
"""Jobs that failed for good are forgotten after this."""

JOB_HISTORY_MAX = 1_000
"""Jobs of one kind that are done, and as many that are dead, are remembered at most."""

ANONYMOUS_TOKEN_SECONDS = 300
"""Life of a token that says nothing of who holds it. Spec: token authentication: 60 at the least."""

POLICY_TEXT_LENGTH_MAX = 131_072
"""Characters of any policy document with its white space. Spec: IAM API, policyDocumentType."""
