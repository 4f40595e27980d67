"""Schema revision 0009: OpenID Connect providers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "iam_provider",
        sa.Column("id", Name, nullable=False),
        sa.Column("client_ids", sa.Text(), nullable=False),
        sa.Column("thumbprints", sa.Text(), nullable=False),
        sa.Column("ca", sa.Text()),
        sa.Column("jwks", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_iam_provider"),
        sa.ForeignKeyConstraint(["id"], ["iam_entity.id"], name="fk_iam_provider_id"),
    )
