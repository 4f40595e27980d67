"""Statements given to the driver: same answers and errors as through SQLAlchemy, on both engines."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from entrepot.store.metadata.base import Database
from entrepot.store.metadata.schema import account
from entrepot.store.metadata.statement import Statement

ADD = Statement(
    insert(account).values(
        {name: bindparam(name) for name in ("id", "name", "created_at")} | {"access_epoch": bindparam("epoch", 7)}
    )
)
FIND = Statement(select(account.c.name, account.c.access_epoch).where(account.c.id == bindparam("id")))
PAGE = Statement(select(account.c.id).order_by(account.c.id).limit(1).offset(bindparam("skipped")))
RAISE = Statement(update(account).where(account.c.name == bindparam("named")).values(access_epoch=bindparam("epoch")))


def row(account_id: str, name: str) -> dict[str, object]:
    return {"id": account_id, "name": name, "created_at": 1}


async def test_rows_defaults_and_counts(database: Database) -> None:
    await database.write(lambda connection: ADD.change_all(connection, [row("a", "one"), row("b", "one")]))
    assert await database.read(lambda connection: FIND.row(connection, {"id": "a"})) == ("one", 7)
    assert await database.read(lambda connection: FIND.row(connection, {"id": "c"})) is None
    assert await database.read(lambda connection: PAGE.rows(connection, {"skipped": 1})) == [("b",)]
    assert await database.write(lambda connection: RAISE.change(connection, {"named": "one", "epoch": 9})) == 2
    assert await database.write(lambda connection: RAISE.change(connection, {"named": "no", "epoch": 9})) == 0
    assert await database.read(lambda connection: FIND.rows(connection, {"id": "b"})) == [("one", 9)]


async def test_a_broken_rule_is_sqlalchemys_error_and_shows_no_values(database: Database) -> None:
    with pytest.raises(IntegrityError) as raised:
        await database.write(lambda connection: ADD.change_all(connection, [row("a", "hunter2")] * 2))
    assert "hunter2" not in str(raised.value)
    assert await database.read(lambda connection: FIND.row(connection, {"id": "a"})) is None
