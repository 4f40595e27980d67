"""Tables of bytes on their way in and out: uploads, and objects that are to be removed."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    false,
)

from entrepot.store.metadata.schema.base import Long, Name, metadata
from entrepot.store.metadata.schema.repository import repository

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
    Column("wrapped_key", LargeBinary),  # by the domain's key, as in `blob`
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
    Column("link_key", LargeBinary),  # by the repository's key, as `wrapped_key` in `repository_blob`
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
