"""Schema revision 0016: repositories that everybody may pull from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision: str | None = "0015"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "anonymous_pull",
        sa.Column("repository_id", Long, nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("repository_id", name="pk_anonymous_pull"),
        sa.ForeignKeyConstraint(["repository_id"], ["repository.id"], name="fk_anonymous_pull_repository_id"),
    )
