"""The tables: one schema for SQLite and PostgreSQL.

Times are integer microseconds UTC. Text that is compared, ordered or unique is compared bytewise on both
engines. Foreign keys restrict: whoever deletes a row deletes what hangs on it first, in the same transaction.
Row ids are never reused, so what is cached under one stays true. See `docs/design/metadata.md`.
"""

from __future__ import annotations

from entrepot.store.metadata.schema.account import (
    access_key,
    account,
    account_alias,
    encryption_domain,
    master_key_check,
    registry,
    registry_token,
    service_principal,
    signing_key,
)
from entrepot.store.metadata.schema.base import metadata
from entrepot.store.metadata.schema.iam import (
    iam_attachment,
    iam_entity,
    iam_inline_policy,
    iam_instance_profile,
    iam_member,
    iam_policy,
    iam_policy_version,
    iam_provider,
    iam_role,
    iam_tag,
)
from entrepot.store.metadata.schema.image import blob, manifest, manifest_reference, repository_blob, tag
from entrepot.store.metadata.schema.kms import kms_alias, kms_grant, kms_key, kms_key_version, kms_tag
from entrepot.store.metadata.schema.operation import collection_hold, event, job, maintenance, set_aside_row
from entrepot.store.metadata.schema.repository import (
    anonymous_pull,
    registry_policy,
    repository,
    repository_policy,
    resource_tag,
)
from entrepot.store.metadata.schema.robot import robot_token
from entrepot.store.metadata.schema.upload import doomed_object, file_store, upload, upload_segment
from entrepot.store.metadata.schema.vpc import ec2_tag, network, vpc_endpoint, vpc_endpoint_subnet, vpc_subnet

__all__ = [
    "access_key",
    "account",
    "account_alias",
    "anonymous_pull",
    "blob",
    "collection_hold",
    "doomed_object",
    "ec2_tag",
    "encryption_domain",
    "event",
    "file_store",
    "iam_attachment",
    "iam_entity",
    "iam_inline_policy",
    "iam_instance_profile",
    "iam_member",
    "iam_policy",
    "iam_policy_version",
    "iam_provider",
    "iam_role",
    "iam_tag",
    "job",
    "kms_alias",
    "kms_grant",
    "kms_key",
    "kms_key_version",
    "kms_tag",
    "maintenance",
    "manifest",
    "manifest_reference",
    "master_key_check",
    "metadata",
    "network",
    "registry",
    "registry_policy",
    "registry_token",
    "repository",
    "repository_blob",
    "repository_policy",
    "resource_tag",
    "robot_token",
    "service_principal",
    "set_aside_row",
    "signing_key",
    "tag",
    "upload",
    "upload_segment",
    "vpc_endpoint",
    "vpc_endpoint_subnet",
    "vpc_subnet",
]
