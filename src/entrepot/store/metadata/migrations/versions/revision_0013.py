"""Schema revision 0013: private endpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"

Name = sa.String().with_variant(sa.String(collation="C"), "postgresql")
Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add tables."""
    op.create_table(
        "network",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_network"),
    )
    _subnets()
    _endpoints()
    op.create_table(
        "ec2_tag",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("region", Name, nullable=False),
        sa.Column("resource_id", Name, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "resource_id", "key", name="pk_ec2_tag"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_ec2_tag_account_id"),
    )


def _subnets() -> None:
    op.create_table(
        "vpc_subnet",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("region", Name, nullable=False),
        sa.Column("subnet_id", Name, nullable=False),
        sa.Column("vpc_id", Name, nullable=False),
        sa.Column("zone", Name, nullable=False),
        sa.Column("cidrs", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "subnet_id", name="pk_vpc_subnet"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_vpc_subnet_account_id"),
    )
    op.create_index("ix_vpc_subnet_vpc_id", "vpc_subnet", ["vpc_id"])


def _endpoints() -> None:
    op.create_table(
        "vpc_endpoint",
        sa.Column("id", Name, nullable=False),
        sa.Column("account_id", Name, nullable=False),
        sa.Column("region", Name, nullable=False),
        sa.Column("vpc_id", Name, nullable=False),
        sa.Column("service", Name, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("policy", sa.Text()),
        sa.Column("policy_principals", sa.Text()),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("epoch", Long, nullable=False),
        sa.Column("is_deleting", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("client_token", Name),
        sa.Column("request_hash", Name),
        sa.Column("created_at", Long, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vpc_endpoint"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_vpc_endpoint_account_id"),
        sa.UniqueConstraint(
            "account_id", "region", "client_token", name="uq_vpc_endpoint_account_id_region_client_token"
        ),
    )
    op.create_table(
        "vpc_endpoint_subnet",
        sa.Column("endpoint_id", Name, nullable=False),
        sa.Column("subnet_id", Name, nullable=False),
        sa.Column("interface_id", Name, nullable=False),
        sa.Column("address", Name),
        sa.Column("is_listening", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("problem", sa.Text()),
        sa.PrimaryKeyConstraint("endpoint_id", "subnet_id", name="pk_vpc_endpoint_subnet"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["vpc_endpoint.id"], name="fk_vpc_endpoint_subnet_endpoint_id"),
        sa.UniqueConstraint("address", name="uq_vpc_endpoint_subnet_address"),
        sa.UniqueConstraint("interface_id", name="uq_vpc_endpoint_subnet_interface_id"),
    )
