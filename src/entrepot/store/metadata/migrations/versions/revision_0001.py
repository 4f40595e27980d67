"""Schema revision 0001: the first tables.

Written out rather than taken from `schema`, which moves on while this stays.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "account",
        sa.Column("id", Name, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("access_epoch", Long, nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
    )
    op.create_table(
        "doomed_object",
        sa.Column("storage_key", Name, nullable=False),
        sa.Column("store", Name, nullable=False),
        sa.Column("not_before", Long, nullable=False),
        sa.PrimaryKeyConstraint("storage_key", name="pk_doomed_object"),
    )
    op.create_index("ix_doomed_object_not_before", "doomed_object", ["not_before"])
    op.create_table(
        "encryption_domain",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary()),
        sa.Column("kms_key", Name),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_encryption_domain"),
        sa.UniqueConstraint("name", name="uq_encryption_domain_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "master_key_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_master_key_check"),
    )
    op.create_table(
        "signing_key",
        sa.Column("id", Name, nullable=False),
        sa.Column("purpose", Name, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("retired_at", Long),
        sa.PrimaryKeyConstraint("id", name="pk_signing_key"),
    )
    op.create_index("ix_signing_key_purpose", "signing_key", ["purpose"])
    op.create_table(
        "access_key",
        sa.Column("id", Name, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("unique_id", Name, nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("used_at", Long),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_access_key_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_access_key"),
    )
    op.create_index("ix_access_key_account_id", "access_key", ["account_id"])
    op.create_table(
        "blob",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("domain_id", Long, nullable=False),
        sa.Column("digest", Name, nullable=False),
        sa.Column("size_bytes", Long, nullable=False),
        sa.Column("storage_key", Name, nullable=False),
        sa.Column("store", Name, nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("frame_bytes", sa.Integer(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary()),
        sa.Column("created_at", Long, nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["encryption_domain.id"], name="fk_blob_domain_id"),
        sa.PrimaryKeyConstraint("id", name="pk_blob"),
        sa.UniqueConstraint("domain_id", "digest", name="uq_blob_domain_id_digest"),
        sa.UniqueConstraint("storage_key", name="uq_blob_storage_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "registry",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("region", Name, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_registry_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registry"),
        sa.UniqueConstraint("account_id", "region", name="uq_registry_account_id_region"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "registry_token",
        sa.Column("id", Name, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("unique_id", Name, nullable=False),
        sa.Column("access_key_id", Name, nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("issued_at", Long, nullable=False),
        sa.Column("expires_at", Long, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_registry_token_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registry_token"),
    )
    op.create_index("ix_registry_token_account_id", "registry_token", ["account_id"])
    op.create_index("ix_registry_token_expires_at", "registry_token", ["expires_at"])
    op.create_table(
        "event",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("registry_id", Long, nullable=False),
        sa.Column("kind", Name, nullable=False),
        sa.Column("repository", Name, nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("occurred_at", Long, nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name="fk_event_registry_id"),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_occurred_at", "event", ["occurred_at"])
    op.create_table(
        "repository",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("registry_id", Long, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("domain_id", Long, nullable=False),
        sa.Column("tag_mutability", Name, nullable=False),
        sa.Column("exclusion_filters", sa.Text(), nullable=False),
        sa.Column("scan_on_push", sa.Boolean(), nullable=False),
        sa.Column("encryption_type", Name, nullable=False),
        sa.Column("kms_key", Name),
        sa.Column("created_at", Long, nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["encryption_domain.id"], name="fk_repository_domain_id"),
        sa.ForeignKeyConstraint(["registry_id"], ["registry.id"], name="fk_repository_registry_id"),
        sa.PrimaryKeyConstraint("id", name="pk_repository"),
        sa.UniqueConstraint("registry_id", "name", name="uq_repository_registry_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "manifest",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("repository_id", Long, nullable=False),
        sa.Column("digest", Name, nullable=False),
        sa.Column("media_type", Name, nullable=False),
        sa.Column("artifact_type", Name),
        sa.Column("subject_digest", Name),
        sa.Column("size_bytes", Long, nullable=False),
        sa.Column("image_size_bytes", Long, nullable=False),
        sa.Column("status", Name, nullable=False),
        sa.Column("pushed_at", Long, nullable=False),
        sa.Column("pulled_at", Long),
        sa.Column("archived_at", Long),
        sa.Column("activated_at", Long),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_manifest_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_manifest"),
        sa.UniqueConstraint("repository_id", "digest", name="uq_manifest_repository_id_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_manifest_repository_id_id", "manifest", ["repository_id", "id"])
    op.create_index(
        "ix_manifest_repository_id_subject_digest_id", "manifest", ["repository_id", "subject_digest", "id"]
    )
    op.create_table(
        "repository_blob",
        sa.Column("repository_id", Long, nullable=False),
        sa.Column("blob_id", Long, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary()),
        sa.Column("key_version", Name),
        sa.Column("linked_at", Long, nullable=False),
        sa.Column("keep_until", Long, nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name="fk_repository_blob_blob_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_repository_blob_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "blob_id", name="pk_repository_blob"),
    )
    op.create_index("ix_repository_blob_blob_id", "repository_blob", ["blob_id"])
    op.create_index("ix_repository_blob_keep_until", "repository_blob", ["keep_until"])
    op.create_table(
        "resource_tag",
        sa.Column("repository_id", Long, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_resource_tag_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "key", name="pk_resource_tag"),
    )
    op.create_table(
        "upload",
        sa.Column("id", Name, nullable=False),
        sa.Column("repository_id", Long, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("kind", Name, nullable=False),
        sa.Column("storage_key", Name, nullable=False),
        sa.Column("store", Name, nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("frame_bytes", sa.Integer(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary()),
        sa.Column("key_version", Name),
        sa.Column("algorithm", Name, nullable=False),
        sa.Column("offset_bytes", Long, nullable=False),
        sa.Column("digest", Name),
        sa.Column("tail", Name),
        sa.Column("tail_bytes", sa.Integer(), nullable=False),
        sa.Column("lease", Name),
        sa.Column("lease_expires_at", Long),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("last_part_bytes", Long, nullable=False),
        sa.Column("has_short_part", sa.Boolean(), nullable=False),
        sa.Column("store_upload_id", Name),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("expires_at", Long, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_upload_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_upload"),
        sa.UniqueConstraint("storage_key", name="uq_upload_storage_key"),
    )
    op.create_index("ix_upload_expires_at", "upload", ["expires_at"])
    op.create_index("ix_upload_repository_id", "upload", ["repository_id"])
    op.create_table(
        "manifest_reference",
        sa.Column("manifest_id", Long, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", Name, nullable=False),
        sa.Column("repository_id", Long, nullable=False),
        sa.Column("blob_id", Long),
        sa.Column("child_id", Long),
        sa.Column("media_type", Name, nullable=False),
        sa.ForeignKeyConstraint(["child_id"], ["manifest.id"], name="fk_manifest_reference_child_id"),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name="fk_manifest_reference_manifest_id"),
        sa.ForeignKeyConstraint(
            ["repository_id", "blob_id"],
            ["repository_blob.repository_id", "repository_blob.blob_id"],
            name="fk_manifest_reference_repository_id_blob_id",
        ),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_manifest_reference_repository_id"),
        sa.PrimaryKeyConstraint("manifest_id", "position", name="pk_manifest_reference"),
    )
    op.create_index("ix_manifest_reference_child_id", "manifest_reference", ["child_id"])
    op.create_index("ix_manifest_reference_repository_id_blob_id", "manifest_reference", ["repository_id", "blob_id"])
    op.create_table(
        "tag",
        sa.Column("repository_id", Long, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("name_lower", Name, nullable=False),
        sa.Column("manifest_id", Long, nullable=False),
        sa.Column("tagged_at", Long, nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name="fk_tag_manifest_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_tag_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "name", name="pk_tag"),
    )
    op.create_index("ix_tag_manifest_id_name", "tag", ["manifest_id", "name"])
    op.create_index("ix_tag_repository_id_name_lower_name", "tag", ["repository_id", "name_lower", "name"])
    op.create_table(
        "upload_segment",
        sa.Column("upload_id", Name, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("stored_bytes", Long, nullable=False),
        sa.Column("etag", Name),
        sa.ForeignKeyConstraint(["upload_id"], ["upload.id"], name="fk_upload_segment_upload_id"),
        sa.PrimaryKeyConstraint("upload_id", "number", name="pk_upload_segment"),
    )
