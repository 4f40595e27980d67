"""The hold of a backup: it stands while the backup runs, is renewed, goes at the end, and a lost one is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from entrepot.app import backup
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.workbench import CommandError, Workbench
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.store.metadata import collection_hold
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.schema import collection_hold as holds
from tests.support.poll import poll_until


@pytest.fixture
def bench(database: Database, key_service: KeyService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setattr(backup, "RENEW_SECONDS", 0.01)
    settings = Settings(data_dir=tmp_path)
    return Workbench(settings, DataDirectory.of(settings), Context(), database, key_service)


async def count(database: Database) -> int:
    return await database.read(lambda c: c.scalar(select(func.count()).select_from(holds))) or 0


async def end_of_hold(database: Database) -> int:
    return await database.read(lambda c: c.scalar(select(holds.c.expires_at))) or 0


async def test_a_hold_stands_for_the_length_of_a_backup(bench: Workbench) -> None:
    async with backup._held(bench):
        assert await bench.database.read(lambda c: collection_hold.is_held(c, bench.context.now_micros()))
        first = await end_of_hold(bench.database)

        async def is_renewed() -> bool:
            return await end_of_hold(bench.database) > first

        await poll_until(is_renewed)
    assert await count(bench.database) == 0


async def test_a_lost_hold_fails_the_backup(bench: Workbench) -> None:
    async def lose() -> None:
        async with backup._held(bench):
            await bench.database.write(lambda c: c.execute(delete(holds)))
            tasks = [task for task in asyncio.all_tasks() if "_renew" in repr(task.get_coro())]
            await asyncio.wait(tasks, timeout=10)

    with pytest.raises(CommandError, match="hold on collection was lost"):
        await lose()


async def test_an_error_within_leaves_no_hold(bench: Workbench) -> None:
    async def fail() -> None:
        async with backup._held(bench):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(bench.database) == 0
