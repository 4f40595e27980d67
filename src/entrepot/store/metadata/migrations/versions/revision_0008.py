"""Schema revision 0008: aliases of accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "account_alias",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("alias", Name, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_alias"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_account_alias_account_id"),
        sa.UniqueConstraint("alias", name="uq_account_alias_alias"),
    )
