"""The database's clock: the one time that all hosts on a database agree on, for leases and due times."""

from __future__ import annotations

from sqlalchemy import Connection, text

_MICROS = {
    "sqlite": text("SELECT CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000"),
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"),
}
"""SQLite counts milliseconds, from noon of the Julian day 0; 2440587.5 is 1970. Its clock is this machine's."""


def database_now(connection: Connection) -> int:
    """Microseconds UTC."""
    return int(connection.execute(_MICROS[connection.dialect.name]).scalar_one())
