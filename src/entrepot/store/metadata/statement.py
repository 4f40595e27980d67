"""Statements compiled once: on SQLite they go to the driver as they are, elsewhere through SQLAlchemy.

SQLAlchemy builds, caches and adapts anew at every execution: 25 to 35 µs of Python, where SQLite needs 2 to 10 for the
statement itself. A push has some twenty statements. What comes back are the driver's own values: a flag is 0 or 1.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import BindParameter, Connection, Table, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

Parameters = Mapping[str, Any]
Values = tuple[Any, ...]


class Statement:
    """One statement with named parameters, none of them expanding; types must need no conversion."""

    __slots__ = ("_places", "_sql", "_statement")

    def __init__(self, statement: Executable) -> None:
        compiled = cast("SQLCompiler", statement.compile(dialect=sqlite.dialect()))  # type: ignore[attr-defined]
        self._statement = statement
        self._sql = str(compiled)
        self._places = tuple((name, compiled.params[name]) for name in compiled.positiontup or ())

    def rows(self, connection: Connection, parameters: Parameters) -> list[Values]:
        """All rows of the answer."""
        if connection.dialect.name == "sqlite":
            return cast("list[Values]", self._run(connection, parameters).fetchall())
        return cast("list[Values]", connection.execute(self._statement, parameters).all())

    def row(self, connection: Connection, parameters: Parameters) -> Values | None:
        """The only row of the answer, if there is one: found by a unique key, or made."""
        found = self.rows(connection, parameters)
        return found[0] if found else None

    def change(self, connection: Connection, parameters: Parameters) -> int:
        """How many rows an UPDATE or DELETE met."""
        if connection.dialect.name == "sqlite":
            return self._run(connection, parameters).rowcount
        return connection.execute(self._statement, parameters).rowcount

    def change_all(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Run it once for each of `rows`."""
        if connection.dialect.name != "sqlite":
            connection.execute(self._statement, rows)
            return
        for row in rows:
            self._run(connection, row)

    def _run(self, connection: Connection, parameters: Parameters) -> sqlite3.Cursor:
        raw = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        values = [parameters.get(name, default) for name, default in self._places]
        try:
            return raw.execute(self._sql, values)
        except sqlite3.Error as error:
            known = DBAPIError.instance(self._sql, None, error, sqlite3.Error, hide_parameters=True)
            raise known from error


def parameters_of(table: Table, *left_out: str) -> dict[str, BindParameter[Any]]:
    """For an INSERT: parameters named as the columns that they fill."""
    return {column.name: bindparam(column.name) for column in table.c if column.name not in left_out}
