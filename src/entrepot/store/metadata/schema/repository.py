"""Tables of repositories and what describes them, and of policies on repositories and registries."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, LargeBinary, Table, Text, UniqueConstraint

from entrepot.store.metadata.schema.account import encryption_domain, registry
from entrepot.store.metadata.schema.base import Long, Name, metadata, row_id

repository = Table(
    "repository",
    metadata,
    row_id(),
    Column("registry_id", Long, ForeignKey(registry.c.id), nullable=False),
    Column("name", Name, nullable=False),
    Column("domain_id", Long, ForeignKey(encryption_domain.c.id), nullable=False),
    Column("tag_mutability", Name, nullable=False),
    Column("exclusion_filters", Text, nullable=False),  # JSON list of wildcard texts
    Column("scan_on_push", Boolean, nullable=False),
    Column("encryption_type", Name, nullable=False),
    Column("kms_key", Name),  # ARN of the key that protects it; this and the next three are NULL with AES256
    Column("kms_account", Name),  # account here that has the key; NULL when a KMS elsewhere keeps it
    Column("kms_sealed_key", LargeBinary),  # key of the repository as the KMS key encrypted it
    Column("kms_grant", Name),  # id of the grant that was made with the repository
    Column("created_at", Long, nullable=False),
    UniqueConstraint("registry_id", "name"),
    sqlite_autoincrement=True,
)

repository_policy = Table(
    "repository_policy",
    metadata,
    Column("repository_id", Long, ForeignKey(repository.c.id), primary_key=True),
    Column("document", Text, nullable=False),  # as it was written
    Column("principals", Text, nullable=False),  # JSON object: each user's or role's ARN in it, its unique id
)

anonymous_pull = Table(
    "anonymous_pull",
    metadata,
    Column("repository_id", Long, ForeignKey(repository.c.id), primary_key=True),
    Column("created_at", Long, nullable=False),
)
"""Repositories that everybody may pull from."""

registry_policy = Table(
    "registry_policy",
    metadata,
    Column("registry_id", Long, ForeignKey(registry.c.id), primary_key=True),
    Column("document", Text, nullable=False),
    Column("principals", Text, nullable=False),
)

resource_tag = Table(
    "resource_tag",
    metadata,
    Column("repository_id", Long, ForeignKey(repository.c.id), primary_key=True),
    Column("key", Name, primary_key=True),
    Column("value", Text, nullable=False),
)
