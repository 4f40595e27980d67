"""Schema revision 0012: credentials of services, and the source that a service's token is for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table and a column."""
    op.create_table(
        "service_principal",
        sa.Column("id", Name, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("source_arns", sa.Text(), nullable=False),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_service_principal"),
        sa.ForeignKeyConstraint(["id"], ["access_key.id"], name="fk_service_principal_id"),
    )
    op.create_index("ix_service_principal_name", "service_principal", ["name"])
    op.add_column("registry_token", sa.Column("source_arn", sa.Text()))
