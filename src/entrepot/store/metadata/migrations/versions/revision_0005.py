"""Schema revision 0005: garbage is found by index, and collection can be held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add marks; every link is looked at once, and every blob that has none."""
    op.add_column("blob", sa.Column("is_loose", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("repository_blob", sa.Column("is_settled", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE blob SET is_loose = TRUE"
        " WHERE NOT EXISTS (SELECT 1 FROM repository_blob WHERE repository_blob.blob_id = blob.id)"
    )
    op.create_index(
        "ix_blob_loose", "blob", ["id"], sqlite_where=sa.text("is_loose = 1"), postgresql_where=sa.text("is_loose")
    )
    op.drop_index("ix_repository_blob_keep_until", "repository_blob")
    op.create_index(
        "ix_repository_blob_unsettled",
        "repository_blob",
        ["keep_until"],
        sqlite_where=sa.text("is_settled = 0"),
        postgresql_where=sa.text("NOT is_settled"),
    )
    op.create_table(
        "collection_hold",
        sa.Column("id", Name, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("expires_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_collection_hold"),
    )
