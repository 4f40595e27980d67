"""Tables of images and blobs: manifests, tags, blobs, and the rows that tie them together."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    false,
    text,
)

from entrepot.store.metadata.schema.account import encryption_domain
from entrepot.store.metadata.schema.base import Long, Name, metadata, row_id
from entrepot.store.metadata.schema.repository import repository

manifest = Table(
    "manifest",
    metadata,
    row_id(),
    Column("repository_id", Long, ForeignKey(repository.c.id), nullable=False),
    Column("digest", Name, nullable=False),
    Column("media_type", Name, nullable=False),
    Column("artifact_type", Name),
    Column("subject_digest", Name),
    Column("size_bytes", Long, nullable=False),  # of the manifest itself
    Column("image_size_bytes", Long, nullable=False),  # config and layers; of an index the largest child's
    Column("status", Name, nullable=False),  # ACTIVE, ARCHIVED, ACTIVATING
    Column("pushed_at", Long, nullable=False),
    Column("pulled_at", Long),
    Column("archived_at", Long),
    Column("activated_at", Long),
    Column("raw", LargeBinary, nullable=False),  # last, so that lists never touch its pages
    UniqueConstraint("repository_id", "digest"),
    Index(None, "repository_id", "id"),  # lists are paged by row id
    Index(None, "repository_id", "subject_digest", "id"),
    sqlite_autoincrement=True,
)

tag = Table(
    "tag",
    metadata,
    Column("repository_id", Long, ForeignKey(repository.c.id), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("name_lower", Name, nullable=False),
    Column("manifest_id", Long, ForeignKey(manifest.c.id), nullable=False),
    Column("tagged_at", Long, nullable=False),
    Index(None, "repository_id", "name_lower", "name"),
    Index(None, "manifest_id", "name"),
)

blob = Table(
    "blob",
    metadata,
    row_id(),
    Column("domain_id", Long, ForeignKey(encryption_domain.c.id), nullable=False),
    Column("digest", Name, nullable=False),
    Column("size_bytes", Long, nullable=False),
    Column("storage_key", Name, nullable=False),
    Column("store", Name, nullable=False),  # filesystem, s3
    Column("format", SmallInteger, nullable=False),  # 0 plain, 1 frames: docs/design/blob.md
    Column("frame_bytes", Integer, nullable=False),
    Column("wrapped_key", LargeBinary),  # by the domain's key; NULL when plain, or when only repositories' keys wrap
    Column("created_at", Long, nullable=False),
    Column("is_loose", Boolean, nullable=False, server_default=false()),  # a link went: there may be none left
    UniqueConstraint("domain_id", "digest"),
    UniqueConstraint("storage_key"),
    sqlite_autoincrement=True,
)
Index("ix_blob_loose", blob.c.id, sqlite_where=text("is_loose = 1"), postgresql_where=text("is_loose"))

repository_blob = Table(
    "repository_blob",
    metadata,
    Column("repository_id", Long, ForeignKey(repository.c.id), primary_key=True),
    Column("blob_id", Long, ForeignKey(blob.c.id), primary_key=True),
    Column("wrapped_key", LargeBinary),  # by the repository's key, when a KMS key protects the domain
    Column("key_version", Name),
    Column("linked_at", Long, nullable=False),
    Column("keep_until", Long, nullable=False),  # promised to somebody until then, referenced or not
    Column("is_settled", Boolean, nullable=False, server_default=false()),  # found referenced after that time
    Index(None, "blob_id"),
)
Index(
    "ix_repository_blob_unsettled",
    repository_blob.c.keep_until,
    sqlite_where=text("is_settled = 0"),
    postgresql_where=text("NOT is_settled"),
)

manifest_reference = Table(
    "manifest_reference",
    metadata,
    Column("manifest_id", Long, ForeignKey(manifest.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),  # in the manifest: config first, then layers; or children
    Column("kind", Name, nullable=False),  # config, layer, child
    Column("repository_id", Long, ForeignKey(repository.c.id), nullable=False),
    Column("blob_id", Long),
    Column("child_id", Long, ForeignKey(manifest.c.id)),
    Column("media_type", Name, nullable=False),
    ForeignKeyConstraint(["repository_id", "blob_id"], [repository_blob.c.repository_id, repository_blob.c.blob_id]),
    Index(None, "repository_id", "blob_id"),
    Index(None, "child_id"),
)
