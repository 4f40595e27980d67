"""Tables of requests to `/v2/` as tests: each row on a SQLite registry of its own, all on one with PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tests.support.registry import RunningRegistry
from tests.support.wire import Row

Test = Callable[..., Awaitable[None]]


def row_tests(rows: Sequence[Row], fill: Callable[[RunningRegistry], Awaitable[Any]]) -> tuple[Test, Test]:
    """The two tests of a module's rows; `fill` makes what they ask for. A row may spoil it for those after it."""

    @pytest.mark.parametrize("row", rows, ids=lambda row: row.what)
    async def test_row(sqlite_registry: RunningRegistry, row: Row) -> None:
        await fill(sqlite_registry)
        await row.check(sqlite_registry.client)

    async def test_rows_on_postgresql(postgres_registry: RunningRegistry) -> None:
        await fill(postgres_registry)
        for row in rows:
            await row.check(postgres_registry.client)

    return test_row, test_rows_on_postgresql
