"""Schema revision 0004: rows that a repair has moved out of the way, maintenance, and when a signing key begins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add two tables and a column."""
    op.create_table(
        "set_aside_row",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("table_name", Name, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_aside_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_set_aside_row"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "maintenance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_maintenance"),
    )
    op.add_column("signing_key", sa.Column("signs_at", Long))
