"""Schema revision 0003: jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "job",
        sa.Column("id", Long, autoincrement=True, nullable=False),
        sa.Column("kind", Name, nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("unique_key", Name),
        sa.Column("state", Name, nullable=False),
        sa.Column("due_at", Long),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempts_max", sa.Integer(), nullable=False),
        sa.Column("owner", Name),
        sa.Column("fence", Long, nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.Column("started_at", Long),
        sa.Column("finished_at", Long),
        sa.Column("error", sa.Text()),
        sa.Column("result", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("unique_key", name="uq_job_unique_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_due_at", "job", ["due_at"])
    op.create_index("ix_job_state_kind_id", "job", ["state", "kind", "id"])
