"""The master key, seals, signing keys and domain keys."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlalchemy import Connection, delete, select, update

from entrepot.domain.key import MasterKeyMissing, MasterKeyWrong, SealBroken
from entrepot.service.context import Context
from entrepot.service.key import SIGNING_PURPOSES, KeyService
from entrepot.store.metadata import key as rows
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from tests.support.database import PostgresAddress

MASTER = bytes(range(32))
OTHER = bytes(32)


async def opened(database: Database, master: bytes = MASTER, database_is_new: bool = False) -> KeyService:
    return await KeyService.open(database, Context(), master, database_is_new)


async def test_no_master_key(database: Database) -> None:
    with pytest.raises(MasterKeyMissing):
        await opened(database, b"")
    with pytest.raises(MasterKeyWrong):
        await opened(database, b"short")


async def test_wrong_master_key_stops_the_start(database: Database) -> None:
    await opened(database, MASTER, database_is_new=True)
    with pytest.raises(MasterKeyWrong):
        await opened(database, OTHER)
    with pytest.raises(MasterKeyMissing):  # a fresh key for a database that has one
        await opened(database, OTHER, database_is_new=True)
    await opened(database, MASTER)


async def test_sealed_rows_without_check_stop_the_start(database: Database) -> None:
    keys = await opened(database)
    await database.write(lambda c: keys.new_domain(c, "account:1"))
    await database.write(lambda c: c.execute(delete(schema.master_key_check)))
    with pytest.raises(MasterKeyMissing):
        await opened(database)


async def test_is_sealed(database: Database) -> None:
    assert not await KeyService.is_sealed(database)
    await opened(database)
    assert await KeyService.is_sealed(database)


async def test_many_workers_agree_on_signing_keys(database: Database) -> None:
    workers = await asyncio.gather(*(opened(database) for _ in range(8)))
    for purpose in SIGNING_PURPOSES:
        assert len({worker.signing_key(purpose) for worker in workers}) == 1
    rows = await database.read(lambda c: c.execute(select(schema.signing_key.c.sealed)).scalars().all())
    assert len(rows) == len(SIGNING_PURPOSES)
    assert all(workers[0].signing_key(p).secret not in sealed for p in SIGNING_PURPOSES for sealed in rows)


async def test_a_host_that_is_faster_between_two_statements_is_no_error(
    postgres_address: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL shows the second statement what was committed after the first."""
    has_sealed_rows = rows.has_sealed_rows

    async def open_another() -> None:
        database = postgres_address.open()
        await opened(database)
        await database.close()

    def asked_late(connection: Connection) -> bool:
        monkeypatch.setattr(rows, "has_sealed_rows", has_sealed_rows)
        asyncio.run(open_another())
        return has_sealed_rows(connection)

    monkeypatch.setattr(rows, "has_sealed_rows", asked_late)
    database = postgres_address.open()
    keys, other = await opened(database), await opened(database)
    assert keys.signing_key(SIGNING_PURPOSES[0]) == other.signing_key(SIGNING_PURPOSES[0])
    await database.close()


async def test_retired_key_still_verifies_until_its_time(database: Database) -> None:
    keys = await opened(database)
    old = keys.signing_key("download-url")
    later = Context().now_micros() + 3600 * 1_000_000
    retire = update(schema.signing_key).where(schema.signing_key.c.id == old.id)
    await database.write(lambda c: c.execute(retire.values(retired_at=later)))
    rotated = await opened(database)
    assert rotated.signing_key("download-url") != old
    assert rotated.verification_key("download-url", old.id) == old
    await keys.refresh()
    assert keys.signing_key("download-url") == rotated.signing_key("download-url")
    await database.write(lambda c: c.execute(retire.values(retired_at=1)))
    await keys.refresh()
    assert keys.verification_key("download-url", old.id) is None
    assert keys.verification_key("page-token", old.id) is None


async def test_domain_is_made_once_and_opens_everywhere(database: Database) -> None:
    one, two = await opened(database), await opened(database)
    ids = await asyncio.gather(*(database.write(partial(keys.new_domain, name="account:1")) for keys in (one, two)))
    other = await database.write(lambda c: one.new_domain(c, "account:2"))
    assert len(set(ids)) == 1
    assert other not in ids
    assert await one.domain_key(ids[0]) == await two.domain_key(ids[0])
    assert await one.domain_key(other) != await one.domain_key(ids[0])


async def test_domain_rows_cannot_be_swapped(database: Database) -> None:
    keys = await opened(database)
    first = await database.write(lambda c: keys.new_domain(c, "account:1"))
    second = await database.write(lambda c: keys.new_domain(c, "account:2"))
    table = schema.encryption_domain
    wrapped = await database.read(lambda c: c.scalar(select(table.c.wrapped_key).where(table.c.id == first)))
    await database.write(lambda c: c.execute(update(table).where(table.c.id == second).values(wrapped_key=wrapped)))
    with pytest.raises(SealBroken):
        await keys.domain_key(second)
    with pytest.raises(SealBroken):
        await keys.domain_key(99)
