"""Schema revision 0010: instance profiles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "iam_instance_profile",
        sa.Column("id", Name, nullable=False),
        sa.Column("role_id", Name),
        sa.PrimaryKeyConstraint("id", name="pk_iam_instance_profile"),
        sa.ForeignKeyConstraint(["id"], ["iam_entity.id"], name="fk_iam_instance_profile_id"),
        sa.ForeignKeyConstraint(["role_id"], ["iam_entity.id"], name="fk_iam_instance_profile_role_id"),
    )
    op.create_index("ix_iam_instance_profile_role_id", "iam_instance_profile", ["role_id"])
