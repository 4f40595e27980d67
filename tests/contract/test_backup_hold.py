"""The hold of a backup: lasts while the backup does, over short troubles, and never ends unnoticed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from entrepot.app import backup
from entrepot.app.workbench import CommandError, Workbench
from entrepot.domain.error import Throttled
from entrepot.service.context import Context
from entrepot.store.metadata import collection_hold
from entrepot.store.metadata.base import Database, Query, T
from tests.support.poll import poll_until
from tests.support.service import Clock


class Flaky:
    """A database whose second and third writes find it away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.writes = 0

    async def write(self, change: Query[T]) -> T:
        self.writes += 1
        if self.writes in {2, 3}:
            raise Throttled
        return await self._database.write(change)


def bench_of(database: Database | Flaky, context: Context) -> Workbench:
    return cast("Workbench", SimpleNamespace(database=database, context=context))


async def is_held(database: Database, context: Context) -> bool:
    return await database.read(lambda connection: collection_hold.is_held(connection, context.now_micros()))


async def test_it_lasts_as_long_as_the_backup(database: Database, context: Context) -> None:
    async with backup._held(bench_of(database, context)):
        assert await is_held(database, context)
    assert not await is_held(database, context)


async def test_one_that_ran_out_while_the_machine_slept_fails_the_backup(
    database: Database, context: Context, clock: Clock
) -> None:
    with pytest.raises(CommandError, match="hold on collection was lost"):
        async with backup._held(bench_of(database, context)):
            clock.forward(seconds=backup.HOLD_SECONDS)


async def test_a_database_that_is_away_for_a_moment_ends_no_backup(
    database: Database, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "RENEW_SECONDS", 0.001)
    flaky = Flaky(database)

    async def has_renewed() -> bool:
        return flaky.writes >= 5

    async with backup._held(bench_of(flaky, context)):
        await poll_until(has_renewed)
    assert not await is_held(database, context)
