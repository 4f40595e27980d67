"""Schema revision 0011: keys of KMS."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add tables."""
    _create_key()
    _create_key_version()
    _create_alias()
    _create_grant()
    op.create_table(
        "kms_tag",
        sa.Column("key_id", Name, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "key", name="pk_kms_tag"),
        _of_key("kms_tag"),
    )


def _create_key() -> None:
    op.create_table(
        "kms_key",
        sa.Column("id", Name, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("region", Name, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("manager", Name, nullable=False),
        sa.Column("origin", Name, nullable=False),
        sa.Column("spec", Name, nullable=False),
        sa.Column("usage", Name, nullable=False),
        sa.Column("is_multi_region", sa.Boolean(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("policy_principals", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("deletes_at", Long),
        sa.Column("rotation_days", sa.Integer()),
        sa.Column("rotates_at", Long),
        sa.PrimaryKeyConstraint("id", name="pk_kms_key"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_kms_key_account_id"),
    )
    op.create_index("ix_kms_key_account_id_region_id", "kms_key", ["account_id", "region", "id"])
    op.create_index("ix_kms_key_deletes_at", "kms_key", ["deletes_at"])
    op.create_index("ix_kms_key_rotates_at", "kms_key", ["rotates_at"])


def _create_key_version() -> None:
    op.create_table(
        "kms_key_version",
        sa.Column("id", Long, nullable=False, autoincrement=True),
        sa.Column("key_id", Name, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("material_id", Name, nullable=False),
        sa.Column("origin", Name, nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kms_key_version"),
        _of_key("kms_key_version"),
        sa.UniqueConstraint("key_id", "number", name="uq_kms_key_version_key_id_number"),
        sqlite_autoincrement=True,
    )


def _create_alias() -> None:
    op.create_table(
        "kms_alias",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("region", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("key_id", Name, nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("updated_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name="pk_kms_alias"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_kms_alias_account_id"),
        _of_key("kms_alias"),
    )
    op.create_index("ix_kms_alias_key_id_name", "kms_alias", ["key_id", "name"])


def _create_grant() -> None:
    op.create_table(
        "kms_grant",
        sa.Column("id", Name, nullable=False),
        sa.Column("key_id", Name, nullable=False),
        sa.Column("token", Name, nullable=False),
        sa.Column("name", Name),
        sa.Column("grantee", Name, nullable=False),
        sa.Column("retiring", Name),
        sa.Column("principals", sa.Text(), nullable=False),
        sa.Column("issuing_account", Name, nullable=False),
        sa.Column("operations", sa.Text(), nullable=False),
        sa.Column("constraints", sa.Text(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kms_grant"),
        _of_key("kms_grant"),
        sa.UniqueConstraint("token", name="uq_kms_grant_token"),
    )
    op.create_index("ix_kms_grant_key_id_id", "kms_grant", ["key_id", "id"])
    op.create_index("ix_kms_grant_grantee", "kms_grant", ["grantee"])
    op.create_index("ix_kms_grant_retiring", "kms_grant", ["retiring"])


def _of_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["key_id"], ["kms_key.id"], name=f"fk_{table}_key_id")
