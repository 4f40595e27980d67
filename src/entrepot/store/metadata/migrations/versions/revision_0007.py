"""Schema revision 0007: IAM, temporary keys, and policies of repositories and registries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add tables and columns; keys from before are not temporary."""
    _extend_access_key()
    _create_identities()
    _create_what_hangs_on_identities()
    _create_resource_policies()


def _extend_access_key() -> None:
    op.add_column("access_key", sa.Column("used_region", Name))
    op.add_column("access_key", sa.Column("used_service", Name))
    op.add_column("access_key", sa.Column("session", sa.Text()))
    op.add_column("access_key", sa.Column("session_token", sa.LargeBinary()))
    op.add_column("access_key", sa.Column("expires_at", Long))
    op.create_index("ix_access_key_unique_id", "access_key", ["unique_id"])
    op.create_index("ix_access_key_expires_at", "access_key", ["expires_at"])


def _create_identities() -> None:
    op.create_table(
        "iam_entity",
        sa.Column("id", Name, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("kind", Name, nullable=False),
        sa.Column("path", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("name_lower", Name, nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("boundary", Name),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_iam_entity"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_iam_entity_account_id"),
        sa.UniqueConstraint("account_id", "kind", "name_lower", name="uq_iam_entity_account_id_kind_name_lower"),
    )
    op.create_index("ix_iam_entity_boundary", "iam_entity", ["boundary"])
    op.create_table(
        "iam_role",
        sa.Column("id", Name, nullable=False),
        sa.Column("trust_policy", sa.Text(), nullable=False),
        sa.Column("trust_principals", sa.Text(), nullable=False),
        sa.Column("session_seconds_max", sa.Integer(), nullable=False),
        sa.Column("used_at", Long),
        sa.Column("used_region", Name),
        sa.PrimaryKeyConstraint("id", name="pk_iam_role"),
        sa.ForeignKeyConstraint(["id"], ["iam_entity.id"], name="fk_iam_role_id"),
    )
    op.create_table(
        "iam_policy",
        sa.Column("id", Name, nullable=False),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("updated_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_iam_policy"),
        sa.ForeignKeyConstraint(["id"], ["iam_entity.id"], name="fk_iam_policy_id"),
    )


def _create_what_hangs_on_identities() -> None:
    op.create_table(
        "iam_policy_version",
        sa.Column("policy_id", Name, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("policy_id", "number", name="pk_iam_policy_version"),
        sa.ForeignKeyConstraint(["policy_id"], ["iam_policy.id"], name="fk_iam_policy_version_policy_id"),
    )
    op.create_table(
        "iam_inline_policy",
        _entity("entity_id"),
        sa.Column("name", Name, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        *_key_of("iam_inline_policy", "entity_id", "name"),
    )
    op.create_table(
        "iam_attachment",
        _entity("entity_id"),
        sa.Column("policy_arn", Name, nullable=False),
        sa.Column("attached_at", Long, nullable=False),
        *_key_of("iam_attachment", "entity_id", "policy_arn"),
    )
    op.create_index("ix_iam_attachment_policy_arn_entity_id", "iam_attachment", ["policy_arn", "entity_id"])
    op.create_table(
        "iam_member",
        _entity("group_id"),
        _entity("user_id"),
        *_key_of("iam_member", "group_id", "user_id"),
        sa.ForeignKeyConstraint(["user_id"], ["iam_entity.id"], name="fk_iam_member_user_id"),
    )
    op.create_index("ix_iam_member_user_id", "iam_member", ["user_id"])
    op.create_table(
        "iam_tag",
        _entity("entity_id"),
        sa.Column("key_lower", Name, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        *_key_of("iam_tag", "entity_id", "key_lower"),
    )


def _create_resource_policies() -> None:
    for owner in ("repository", "registry"):
        op.create_table(
            f"{owner}_policy",
            sa.Column(f"{owner}_id", Long, nullable=False, autoincrement=False),
            sa.Column("document", sa.Text(), nullable=False),
            sa.Column("principals", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint(f"{owner}_id", name=f"pk_{owner}_policy"),
            sa.ForeignKeyConstraint([f"{owner}_id"], [f"{owner}.id"], name=f"fk_{owner}_policy_{owner}_id"),
        )


def _entity(column: str) -> sa.Column[str]:
    return sa.Column(column, Name, nullable=False)


def _key_of(table: str, entity: str, other: str) -> tuple[sa.PrimaryKeyConstraint, sa.ForeignKeyConstraint]:
    return (
        sa.PrimaryKeyConstraint(entity, other, name=f"pk_{table}"),
        sa.ForeignKeyConstraint([entity], ["iam_entity.id"], name=f"fk_{table}_{entity}"),
    )
