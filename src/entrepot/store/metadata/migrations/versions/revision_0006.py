"""Schema revision 0006: what stores that machines share need of an upload and of what it leaves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add columns; rows from before have begun no numbered append and no multipart upload."""
    op.add_column("upload", sa.Column("appends", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("upload", sa.Column("store_parts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("upload", sa.Column("publisher", Name))
    op.add_column("upload", sa.Column("publisher_expires_at", Long))
    op.add_column("doomed_object", sa.Column("appends", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("doomed_object", sa.Column("has_parts", sa.Boolean(), nullable=False, server_default=sa.false()))
