"""Tables of IAM: users, groups, roles and policies, and what hangs on them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from entrepot.store.metadata.schema.account import account
from entrepot.store.metadata.schema.base import Long, Name, metadata

iam_entity = Table(
    "iam_entity",
    metadata,
    Column("id", Name, primary_key=True),  # AIDA… of users, AGPA… of groups, AROA… of roles, ANPA… of policies
    Column("account_id", Name, ForeignKey(account.c.id), nullable=False),
    Column("kind", Name, nullable=False),  # user, group, role, policy
    Column("path", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("name_lower", Name, nullable=False),  # names of a kind differ by more than case
    Column("description", Text),
    Column("boundary", Name),  # ARN of the policy that bounds a user or role
    Column("created_at", Long, nullable=False),
    UniqueConstraint("account_id", "kind", "name_lower"),
    Index(None, "boundary"),
)

iam_role = Table(
    "iam_role",
    metadata,
    Column("id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("trust_policy", Text, nullable=False),  # as it was written
    Column("trust_principals", Text, nullable=False),  # JSON object: each user's or role's ARN in it, its unique id
    Column("session_seconds_max", Integer, nullable=False),
    Column("used_at", Long),
    Column("used_region", Name),
)

iam_provider = Table(
    "iam_provider",
    metadata,
    Column("id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("client_ids", Text, nullable=False),  # JSON list
    Column("thumbprints", Text, nullable=False),  # JSON list; shown, and looked at by nobody
    Column("ca", Text),  # PEM certificates that sign the issuer's own; NULL: the system's
    Column("jwks", Text),  # JSON Web Key Set of an issuer that is never asked
)

iam_instance_profile = Table(
    "iam_instance_profile",
    metadata,
    Column("id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("role_id", Name, ForeignKey(iam_entity.c.id)),
    Index(None, "role_id"),
)

iam_policy = Table(
    "iam_policy",
    metadata,
    Column("id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("default_version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False),  # numbers of deleted versions are not used again
    Column("updated_at", Long, nullable=False),
)

iam_policy_version = Table(
    "iam_policy_version",
    metadata,
    Column("policy_id", Name, ForeignKey(iam_policy.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created_at", Long, nullable=False),
)

iam_inline_policy = Table(
    "iam_inline_policy",
    metadata,
    Column("entity_id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("document", Text, nullable=False),
)

iam_attachment = Table(
    "iam_attachment",
    metadata,
    Column("entity_id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("policy_arn", Name, primary_key=True),  # of the account or of AWS
    Column("attached_at", Long, nullable=False),
    Index(None, "policy_arn", "entity_id"),
)

iam_member = Table(
    "iam_member",
    metadata,
    Column("group_id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("user_id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Index(None, "user_id"),
)

iam_tag = Table(
    "iam_tag",
    metadata,
    Column("entity_id", Name, ForeignKey(iam_entity.c.id), primary_key=True),
    Column("key_lower", Name, primary_key=True),  # keys differ by more than case
    Column("key", Name, nullable=False),
    Column("value", Text, nullable=False),
)
