"""Schema revision 0014: robot tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision: str | None = "0013"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")
Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "robot_token",
        sa.Column("id", Name, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("region", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("role_id", Name, nullable=False),
        sa.Column("role_arn", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", Long),
        sa.Column("revoked_at", Long),
        sa.Column("used_at", Long),
        sa.Column("used_address", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_robot_token"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_robot_token_account_id"),
    )
    op.create_index(
        "ix_robot_token_name",
        "robot_token",
        ["account_id", "region", "name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index("ix_robot_token_revoked_at", "robot_token", ["revoked_at"])
