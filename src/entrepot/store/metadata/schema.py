"""The tables: one schema for SQLite and PostgreSQL.

Times are integer microseconds UTC. Text that is compared, ordered or unique is compared bytewise on both
engines. Foreign keys restrict: whoever deletes a row deletes what hangs on it first, in the same transaction.
Row ids are never reused, so what is cached under one stays true. See `docs/design/metadata.md`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Long = BigInteger().with_variant(Integer(), "sqlite")
Name = String().with_variant(String(collation="C"), "postgresql")


def _row_id() -> Column[int]:
    return Column("id", Long, primary_key=True, autoincrement=True)


account = Table(
    "account",
    metadata,
    Column("id", Name, primary_key=True),
    Column("name", Text, nullable=False),
    Column("access_epoch", Long, nullable=False),  # raised by changes of access, keys and tokens, never by pushes
    Column("created_at", Long, nullable=False),
)

registry = Table(
    "registry",
    metadata,
    _row_id(),
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),
    Column("region", Name, nullable=False),
    Column("settings", Text, nullable=False),  # JSON object: account settings by name
    Column("created_at", Long, nullable=False),
    UniqueConstraint("account_id", "region"),
    sqlite_autoincrement=True,
)

access_key = Table(
    "access_key",
    metadata,
    Column("id", Name, primary_key=True),
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),
    Column("unique_id", Name, nullable=False),  # of the principal: the account id for root
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Long, nullable=False),
    Column("used_at", Long),
    Index(None, "account_id"),
)

registry_token = Table(
    "registry_token",
    metadata,
    Column("id", Name, primary_key=True),
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),  # of the principal
    Column("unique_id", Name, nullable=False),
    Column("access_key_id", Name, nullable=False),
    Column("session", Text, nullable=False),  # JSON: policies, tags, source identity of the session
    Column("issued_at", Long, nullable=False),
    Column("expires_at", Long, nullable=False),
    Index(None, "expires_at"),
    Index(None, "account_id"),
)

master_key_check = Table(
    "master_key_check",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1: the unique insert decides who made the key
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Long, nullable=False),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("id", Name, primary_key=True),
    Column("purpose", Name, nullable=False),  # registry-token, download-url, page-token
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Long, nullable=False),
    Column("retired_at", Long),  # verifies until then; signs no more once a younger key does
    Column("signs_at", Long),  # by then every worker knows it; NULL: from the beginning
    Index(None, "purpose"),
)

encryption_domain = Table(
    "encryption_domain",
    metadata,
    _row_id(),
    Column("name", Name, nullable=False),  # account:123456789012, later also a KMS key
    Column("wrapped_key", LargeBinary),  # by the master key; NULL when a KMS key wraps per repository
    Column("kms_key", Name),
    Column("created_at", Long, nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

repository = Table(
    "repository",
    metadata,
    _row_id(),
    Column("registry_id", Long, ForeignKey(registry.c.id), nullable=False),
    Column("name", Name, nullable=False),
    Column("domain_id", Long, ForeignKey(encryption_domain.c.id), nullable=False),
    Column("tag_mutability", Name, nullable=False),
    Column("exclusion_filters", Text, nullable=False),  # JSON list of wildcard texts
    Column("scan_on_push", Boolean, nullable=False),
    Column("encryption_type", Name, nullable=False),
    Column("kms_key", Name),
    Column("created_at", Long, nullable=False),
    UniqueConstraint("registry_id", "name"),
    sqlite_autoincrement=True,
)

resource_tag = Table(
    "resource_tag",
    metadata,
    Column("repository_id", Long, ForeignKey(repository.c.id), primary_key=True),
    Column("key", Name, primary_key=True),
    Column("value", Text, nullable=False),
)

manifest = Table(
    "manifest",
    metadata,
    _row_id(),
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
    _row_id(),
    Column("domain_id", Long, ForeignKey(encryption_domain.c.id), nullable=False),
    Column("digest", Name, nullable=False),
    Column("size_bytes", Long, nullable=False),
    Column("storage_key", Name, nullable=False),
    Column("store", Name, nullable=False),  # filesystem, s3
    Column("format", SmallInteger, nullable=False),  # 0 plain, 1 frames: docs/design/blob.md
    Column("frame_bytes", Integer, nullable=False),
    Column("wrapped_key", LargeBinary),  # by the domain's key; NULL when plain or wrapped per repository
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
    Column("wrapped_key", LargeBinary),  # when the domain is a KMS key
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

upload = Table(
    "upload",
    metadata,
    Column("id", Name, primary_key=True),  # UUID
    Column("repository_id", Long, ForeignKey(repository.c.id), nullable=False),
    Column("account_id", Name, nullable=False),  # of the principal: an upload id works only for its account
    Column("kind", Name, nullable=False),  # oci, ecr
    Column("storage_key", Name, nullable=False),
    Column("store", Name, nullable=False),
    Column("format", SmallInteger, nullable=False),
    Column("frame_bytes", Integer, nullable=False),
    Column("wrapped_key", LargeBinary),
    Column("key_version", Name),
    Column("algorithm", Name, nullable=False),  # sha256, sha512
    Column("offset_bytes", Long, nullable=False),  # acknowledged
    Column("digest", Name),  # of bytes 0..offset; NULL when it must be read again
    Column("tail", Name),  # name of the object that holds the partial last frame
    Column("tail_bytes", Integer, nullable=False),  # plaintext bytes in it
    Column("lease", Name),  # of the writer under way; the last to take it wins
    Column("lease_expires_at", Long),
    Column("parts", Integer, nullable=False),
    Column("last_part_bytes", Long, nullable=False),
    Column("has_short_part", Boolean, nullable=False),  # a part before the last was below the minimum
    Column("store_upload_id", Name),  # S3 UploadId
    Column("created_at", Long, nullable=False),
    Column("expires_at", Long, nullable=False),
    Column("appends", Integer, nullable=False, server_default="0"),  # that ever began; each names pieces by its number
    Column("store_parts", Integer, nullable=False, server_default="0"),  # S3 part numbers handed out, gaps allowed
    Column("publisher", Name),  # who publishes it in a store that machines share
    Column("publisher_expires_at", Long),
    Column("principal_id", Name),  # unique id of who started it; NULL only in rows from before revision 0002
    UniqueConstraint("storage_key"),
    Index(None, "repository_id"),
    Index(None, "expires_at"),
    Index(None, "principal_id"),
)

upload_segment = Table(
    "upload_segment",
    metadata,
    Column("upload_id", Name, ForeignKey(upload.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Name, nullable=False),
    Column("stored_bytes", Long, nullable=False),
    Column("etag", Name),
)

file_store = Table(
    "file_store",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1: the unique insert decides which directory it is
    Column("directory_id", Name, nullable=False),  # as its file `store.id` says
    Column("created_at", Long, nullable=False),
)

collection_hold = Table(
    "collection_hold",
    metadata,
    Column("id", Name, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("created_at", Long, nullable=False),
    Column("expires_at", Long, nullable=False),
)

doomed_object = Table(
    "doomed_object",
    metadata,
    Column("storage_key", Name, primary_key=True),
    Column("store", Name, nullable=False),
    Column("not_before", Long, nullable=False),
    Column("appends", Integer, nullable=False, server_default="0"),  # of the upload: they name what was staged
    Column("has_parts", Boolean, nullable=False, server_default=false()),  # of a multipart upload
    Index(None, "not_before"),
)

maintenance = Table(
    "maintenance",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1; there is a row while clients may not write
    Column("reason", Text, nullable=False),
    Column("begun_at", Long, nullable=False),
)

set_aside_row = Table(
    "set_aside_row",
    metadata,
    _row_id(),
    Column("table_name", Name, nullable=False),
    Column("content", Text, nullable=False),  # JSON object of the row; bytes as {"base64": …}
    Column("reason", Text, nullable=False),
    Column("set_aside_at", Long, nullable=False),
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    _row_id(),
    Column("registry_id", Long, ForeignKey(registry.c.id), nullable=False),
    Column("kind", Name, nullable=False),
    Column("repository", Name, nullable=False),
    Column("details", Text, nullable=False),  # JSON object
    Column("occurred_at", Long, nullable=False),
    Index(None, "occurred_at"),
    sqlite_autoincrement=True,
)

job = Table(
    "job",
    metadata,
    _row_id(),
    Column("kind", Name, nullable=False),
    Column("arguments", Text, nullable=False),  # JSON object
    Column("unique_key", Name),  # a second job of the same key is not made
    Column("state", Name, nullable=False),  # pending, running, done, dead
    Column("due_at", Long),  # when it may be taken: its time, or the end of its lease; NULL when it is over
    Column("attempts", Integer, nullable=False),  # since it was made or tried again by hand
    Column("attempts_max", Integer, nullable=False),
    Column("owner", Name),  # the worker that has it, or had it last
    Column("fence", Long, nullable=False),  # raised by each claim
    Column("created_at", Long, nullable=False),
    Column("started_at", Long),
    Column("finished_at", Long),
    Column("error", Text),  # of the last failure, one bounded line
    Column("result", Text),  # JSON object
    UniqueConstraint("unique_key"),
    Index(None, "due_at"),
    Index(None, "state", "kind", "id"),  # state first, or SQLite looks for due jobs here, kind by kind
    sqlite_autoincrement=True,
)
