"""What every metadata engine promises: see `store/metadata/base.py`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import Connection, PoolProxiedConnection, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from entrepot.domain.error import RepositoryNotFound, Throttled
from entrepot.store.metadata.base import Database, StrayStopIteration
from entrepot.store.metadata.postgres import PostgresDatabase
from entrepot.store.metadata.schema import account, registry
from tests.support.database import DatabaseAddress, PostgresAddress
from tests.support.service import REGISTRY

DEADLINE = 20


def add(account_id: str, name: str = "n") -> Callable[[Connection], str]:
    """A change that adds an account and returns its id."""

    def change(connection: Connection) -> str:
        row = {"id": account_id, "name": name, "access_epoch": 1, "created_at": 2}
        connection.execute(insert(account), row)
        return account_id

    return change


def ids(connection: Connection) -> set[str]:
    return set(connection.scalars(select(account.c.id)))


async def test_written_rows_are_seen_by_other_connections_at_once(
    database: Database, second_database: Database
) -> None:
    for number in range(20):
        await database.write(add(f"a{number}"))
        found = await second_database.lookup(
            lambda connection: connection.scalar(select(func.count()).select_from(account))
        )
        assert found == number + 1
    assert await second_database.read(ids) == await database.read(ids)


async def test_results_and_errors_reach_those_who_asked(database: Database) -> None:
    def refuse(connection: Connection) -> None:
        add("refused")(connection)
        raise RepositoryNotFound(REGISTRY, "x")

    def break_a_rule(connection: Connection) -> None:
        add("broken")(connection)
        connection.execute(insert(registry), {"account_id": "no", "region": "r", "settings": "{}", "created_at": 1})

    def stop(connection: Connection) -> str:
        return next(iter([]))

    await database.write(add("a"))
    attempts = (refuse, add("b"), break_a_rule, add("a"), stop, add("c"))
    outcomes = await asyncio.gather(*(database.write(attempt) for attempt in attempts), return_exceptions=True)
    assert [outcome if isinstance(outcome, str) else type(outcome) for outcome in outcomes] == [
        RepositoryNotFound,
        "b",
        IntegrityError,
        IntegrityError,
        StrayStopIteration,
        "c",
    ]
    assert await database.read(ids) == {"a", "b", "c"}


async def test_errors_of_reads_reach_those_who_asked(database: Database) -> None:
    def refuse(connection: Connection) -> None:
        raise RepositoryNotFound(REGISTRY, "x")

    for run in (database.lookup, database.read):
        with pytest.raises(RepositoryNotFound):
            await run(refuse)
        with pytest.raises(RuntimeError):
            await run(lambda connection: next(connection.scalars(select(account.c.id))))
        assert await run(ids) == set()


async def test_errors_show_no_values(database: Database) -> None:
    def insert_twice(connection: Connection) -> None:
        row = {"id": "twice", "name": "hunter2", "access_epoch": 1, "created_at": 2}
        for _ in range(2):
            connection.execute(insert(account), row)

    with pytest.raises(IntegrityError) as raised:
        await database.write(insert_twice)
    assert "hunter2" not in str(raised.value)


async def test_an_unanswered_request_does_not_disturb_the_others(database: Database) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> str:
        entered.set()
        assert go_on.wait(DEADLINE)
        return add("slow")(connection)

    abandoned = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(entered.wait, DEADLINE)
    others = [asyncio.ensure_future(database.write(add(f"a{number}"))) for number in range(3)]
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    go_on.set()
    assert await asyncio.gather(*others) == ["a0", "a1", "a2"]
    assert {"a0", "a1", "a2"} <= await database.read(ids)


async def test_closing_finishes_what_was_asked_and_takes_no_more(database_address: DatabaseAddress) -> None:
    database = database_address.open()
    pending = [asyncio.ensure_future(database.write(add(f"a{number}"))) for number in range(30)]
    await asyncio.sleep(0)  # they have asked
    await database.close()
    assert len(await asyncio.gather(*pending)) == 30
    with pytest.raises(RuntimeError):
        await database.write(add("late"))
    engine = database_address.engine()
    with engine.connect() as connection:
        assert len(ids(connection)) == 30
    engine.dispose()


async def test_a_loop_that_went_away_does_not_stop_the_engine(database: Database) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        entered.set()
        assert go_on.wait(DEADLINE)

    async def ask_and_leave() -> None:
        asking = asyncio.ensure_future(database.write(slow))
        await asyncio.get_running_loop().run_in_executor(None, entered.wait, DEADLINE)
        asking.cancel()

    await asyncio.to_thread(asyncio.run, ask_and_leave())
    go_on.set()
    assert await database.write(add("a")) == "a"


async def test_names_compare_and_sort_bytewise(database: Database) -> None:
    names = ["b", "B", "a-b", "a_b", "aB", "ab", "é", "Z", "a.b", "a"]
    await asyncio.gather(*(database.write(add(name)) for name in names))
    ordered = await database.read(
        lambda connection: list(connection.scalars(select(account.c.id).order_by(account.c.id)))
    )
    assert ordered == sorted(names, key=lambda name: name.encode())
    after = select(account.c.id).where(account.c.id > "a-b", account.c.id < "a_b").order_by(account.c.id)
    assert await database.read(lambda connection: list(connection.scalars(after))) == ["a.b", "aB"]


async def test_counters_lose_no_step_between_workers(database: Database, second_database: Database) -> None:
    await database.write(add("a"))
    step = update(account).values(access_epoch=account.c.access_epoch + 1)
    await asyncio.gather(
        *(place.write(lambda connection: connection.execute(step)) for place in (database, second_database) * 25)
    )
    assert await database.lookup(lambda connection: connection.scalar(select(account.c.access_epoch))) == 51


class TestPostgres:
    async def test_deadlocks_are_resolved_by_running_again(
        self, postgres_database: PostgresDatabase, postgres_address: PostgresAddress
    ) -> None:
        second = postgres_address.open()
        for name in ("a", "b"):
            await postgres_database.write(add(name))
        meet = threading.Barrier(2, timeout=DEADLINE)
        runs: list[str] = []

        def lock_in_order(first: str, last: str) -> Callable[[Connection], None]:
            def change(connection: Connection) -> None:
                runs.append(first)
                raise_epoch = update(account).values(access_epoch=account.c.access_epoch + 1)
                connection.execute(raise_epoch.where(account.c.id == first))
                if len(runs) <= 2:
                    meet.wait()
                connection.execute(raise_epoch.where(account.c.id == last))

            return change

        await asyncio.gather(postgres_database.write(lock_in_order("a", "b")), second.write(lock_in_order("b", "a")))
        assert len(runs) == 3
        epochs = await second.read(lambda connection: list(connection.scalars(select(account.c.access_epoch))))
        assert epochs == [3, 3]
        await second.close()

    @pytest.mark.parametrize("state", ["40001", "40P01"])
    async def test_conflicts_that_last_are_throttled(self, postgres_database: PostgresDatabase, state: str) -> None:
        runs: list[int] = []

        def conflict(connection: Connection) -> None:
            runs.append(1)
            connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"))

        with pytest.raises(Throttled):
            await postgres_database.write(conflict)
        assert len(runs) == 6

    async def test_a_row_that_stays_locked_is_throttled(self, postgres_address: PostgresAddress) -> None:
        database = PostgresDatabase(postgres_address.url, connections=2, lock_seconds=0.05)
        await database.write(add("a"))
        engine = postgres_address.engine()
        change = update(account).values(access_epoch=9)
        with engine.begin() as other:
            other.execute(change)
            with pytest.raises(Throttled):
                await database.write(lambda connection: connection.execute(change))
        engine.dispose()
        await database.close()

    async def test_lost_connections_are_replaced(
        self, postgres_database: PostgresDatabase, postgres_address: PostgresAddress
    ) -> None:
        await postgres_database.write(add("a"))
        engine = postgres_address.engine()
        with engine.begin() as other:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            other.execute(text(others + " AND pid <> pg_backend_pid()"))
        engine.dispose()
        assert await postgres_database.read(ids) == {"a"}
        assert await postgres_database.write(add("b")) == "b"

    async def test_a_connection_lost_within_a_change_is_made_up_for(self, postgres_database: PostgresDatabase) -> None:
        runs: list[int] = []

        def cut_once(connection: Connection) -> str:
            runs.append(1)
            if len(runs) == 1:
                _cut(connection)
            return add("a")(connection)

        assert await postgres_database.write(cut_once) == "a"
        assert len(runs) == 2

    async def test_connections_that_are_always_lost_are_throttled(self, postgres_database: PostgresDatabase) -> None:
        def cut(connection: Connection) -> None:
            add("a")(connection)
            _cut(connection)

        for run in (postgres_database.write, postgres_database.read):
            with pytest.raises(Throttled):
                await run(_cut)
        with pytest.raises(Throttled):
            await postgres_database.write(cut)
        assert await postgres_database.read(ids) == set()

    async def test_a_change_is_not_made_twice_when_the_commit_is_lost(
        self, postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs: list[int] = []

        def count(connection: Connection) -> None:
            runs.append(1)
            add("a")(connection)

        def commit_and_lose(connection: PoolProxiedConnection) -> None:
            monkeypatch.undo()
            connection.commit()
            assert connection.dbapi_connection
            connection.dbapi_connection.close()
            raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(postgres_database._engine.dialect, "do_commit", commit_and_lose)
        with pytest.raises(Throttled):
            await postgres_database.write(count)
        assert len(runs) == 1
        assert await postgres_database.read(ids) == {"a"}

    async def test_both_spellings_of_the_url_work(self, postgres_address: PostgresAddress) -> None:
        for scheme in ("postgresql://", "postgres://"):
            database = PostgresDatabase(postgres_address.url.replace("postgresql+psycopg://", scheme), connections=1)
            assert await database.read(ids) == set()
            await database.close()


def _cut(connection: Connection) -> None:
    connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
