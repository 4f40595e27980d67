"""Tables of accounts, their registries and credentials, and the keys that seal, sign and wrap."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from entrepot.store.metadata.schema.base import Long, Name, metadata, row_id

account = Table(
    "account",
    metadata,
    Column("id", Name, primary_key=True),
    Column("name", Text, nullable=False),
    Column("access_epoch", Long, nullable=False),  # raised by changes of access, keys and tokens, never by pushes
    Column("created_at", Long, nullable=False),
)

account_alias = Table(
    "account_alias",
    metadata,
    Column("account_id", Name, ForeignKey(account.c.id), primary_key=True),  # an account has one alias at most
    Column("alias", Name, nullable=False),
    UniqueConstraint("alias"),
)

registry = Table(
    "registry",
    metadata,
    row_id(),
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
    Column("used_region", Name),
    Column("used_service", Name),
    Column("session", Text),  # JSON object of a session; such keys are temporary
    Column("session_token", LargeBinary),  # SHA-256 of the token that must come with a temporary key
    Column("expires_at", Long),  # of a temporary key
    Index(None, "account_id"),
    Index(None, "unique_id"),
    Index(None, "expires_at"),
)

service_principal = Table(
    "service_principal",
    metadata,
    Column("id", Name, ForeignKey(access_key.c.id), primary_key=True),  # each is one key, of the account `aws`
    Column("name", Name, nullable=False),  # lambda.amazonaws.com
    Column("source_arns", Text, nullable=False),  # JSON list of patterns
    Column("created_at", Long, nullable=False),
    Index(None, "name"),
)

registry_token = Table(
    "registry_token",
    metadata,
    Column("id", Name, primary_key=True),
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),  # of the principal
    Column("unique_id", Name, nullable=False),
    Column("access_key_id", Name, nullable=False),
    Column("session", Text, nullable=False),  # JSON: policies, tags, source identity of the session
    Column("source_arn", Text),  # of a service's token: for what it asked
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
    row_id(),
    Column("name", Name, nullable=False),  # account:123456789012, later also a KMS key
    Column("wrapped_key", LargeBinary),  # by the master key; NULL when a KMS key wraps per repository
    Column("kms_key", Name),
    Column("created_at", Long, nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)
