"""Schema revision 0015: repositories that a KMS key protects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision: str | None = "0014"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add columns."""
    op.add_column("repository", sa.Column("kms_account", Name))
    op.add_column("repository", sa.Column("kms_sealed_key", sa.LargeBinary()))
    op.add_column("repository", sa.Column("kms_grant", Name))
    op.add_column("upload", sa.Column("link_key", sa.LargeBinary()))
