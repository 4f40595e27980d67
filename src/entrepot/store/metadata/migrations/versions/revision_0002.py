"""Schema revision 0002: who started an upload, and which directory the local files are in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a column and a table."""
    op.add_column("upload", sa.Column("principal_id", Name))
    op.create_index("ix_upload_principal_id", "upload", ["principal_id"])
    op.create_table(
        "file_store",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("directory_id", Name, nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_file_store"),
    )
