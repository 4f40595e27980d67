"""Tables of KMS: keys with the versions of their material, and what hangs on a key."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from entrepot.store.metadata.schema.account import account
from entrepot.store.metadata.schema.base import Long, Name, metadata, row_id

kms_key = Table(
    "kms_key",
    metadata,
    Column("id", Name, primary_key=True),  # UUID, as the ARN has it
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),
    Column("region", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("state", Name, nullable=False),  # Enabled, Disabled, PendingDeletion
    Column("manager", Name, nullable=False),  # CUSTOMER, AWS
    Column("origin", Name, nullable=False),  # AWS_KMS
    Column("spec", Name, nullable=False),  # SYMMETRIC_DEFAULT
    Column("usage", Name, nullable=False),  # ENCRYPT_DECRYPT
    Column("is_multi_region", Boolean, nullable=False),
    Column("policy", Text, nullable=False),  # as it was written
    Column("policy_principals", Text, nullable=False),  # JSON object: each user's or role's ARN in it, its unique id
    Column("version", Integer, nullable=False),  # of the material that encrypts now
    Column("created_at", Long, nullable=False),
    Column("deletes_at", Long),  # when it is due to be deleted, while that is pending
    Column("rotation_days", Integer),  # NULL: it does not rotate by itself
    Column("rotates_at", Long),  # the next time that it does
    Index(None, "account_id", "region", "id"),
    Index(None, "deletes_at"),
    Index(None, "rotates_at"),
)

kms_key_version = Table(
    "kms_key_version",
    metadata,
    row_id(),
    Column("key_id", Name, ForeignKey(kms_key.c.id), nullable=False),
    Column("number", Integer, nullable=False),  # from 1; one more with each rotation
    Column("sealed", LargeBinary, nullable=False),  # 32 bytes by the master key
    Column("material_id", Name, nullable=False),  # 64 hex digits: what AWS calls the version
    Column("origin", Name, nullable=False),  # CREATED, AUTOMATIC, ON_DEMAND
    Column("created_at", Long, nullable=False),
    UniqueConstraint("key_id", "number"),
    sqlite_autoincrement=True,
)

kms_alias = Table(
    "kms_alias",
    metadata,
    Column("account_id", Name, ForeignKey(account.c.id), primary_key=True),
    Column("region", Name, primary_key=True),
    Column("name", Name, primary_key=True),  # with its prefix `alias/`
    Column("key_id", Name, ForeignKey(kms_key.c.id), nullable=False),
    Column("created_at", Long, nullable=False),
    Column("updated_at", Long, nullable=False),
    Index(None, "key_id", "name"),
)

kms_grant = Table(
    "kms_grant",
    metadata,
    Column("id", Name, primary_key=True),  # 64 hex digits
    Column("key_id", Name, ForeignKey(kms_key.c.id), nullable=False),
    Column("token", Name, nullable=False),
    Column("name", Name),
    Column("grantee", Name, nullable=False),  # ARN or service, as it was written
    Column("retiring", Name),  # likewise
    Column("principals", Text, nullable=False),  # JSON object: each user's or role's ARN in it, its unique id
    Column("issuing_account", Name, nullable=False),  # ARN of the account's root
    Column("operations", Text, nullable=False),  # JSON list, such as ["Decrypt"]
    Column("constraints", Text, nullable=False),  # JSON object, as in the API
    Column("created_at", Long, nullable=False),
    UniqueConstraint("token"),
    Index(None, "key_id", "id"),
    Index(None, "grantee"),
    Index(None, "retiring"),
)

kms_tag = Table(
    "kms_tag",
    metadata,
    Column("key_id", Name, ForeignKey(kms_key.c.id), primary_key=True),
    Column("key", Name, primary_key=True),
    Column("value", Text, nullable=False),
)
