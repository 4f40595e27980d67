"""What every table is made with: the one collection of tables, types that both engines take, and row ids."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Long = BigInteger().with_variant(Integer(), "sqlite")
Name = String().with_variant(String(collation="C"), "postgresql")


def row_id() -> Column[int]:
    """The column of row ids, which are never reused."""
    return Column("id", Long, primary_key=True, autoincrement=True)
