"""The table of robot tokens."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, text

from entrepot.store.metadata.schema.account import account
from entrepot.store.metadata.schema.base import Long, Name, metadata

robot_token = Table(
    "robot_token",
    metadata,
    Column("id", Name, primary_key=True),
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),
    Column("region", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("role_id", Name, nullable=False),  # its unique id; the role may be gone
    Column("role_arn", Text, nullable=False),
    Column("scope", Text, nullable=False),  # JSON: repositories, actions, addresses
    Column("password_hash", LargeBinary, nullable=False),  # SHA-256; the password is kept nowhere
    Column("created_at", Long, nullable=False),
    Column("created_by", Text, nullable=False),  # ARN; empty for an operator
    Column("expires_at", Long),
    Column("revoked_at", Long),  # the row stays for a while, so that who uses the token hears that it is over
    Column("used_at", Long),
    Column("used_address", Text),
)

Index(
    "ix_robot_token_name",
    robot_token.c.account_id,
    robot_token.c.region,
    robot_token.c.name,
    unique=True,
    sqlite_where=text("revoked_at IS NULL"),
    postgresql_where=text("revoked_at IS NULL"),
)
Index("ix_robot_token_revoked_at", robot_token.c.revoked_at)
