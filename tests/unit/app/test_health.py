"""Probes: alive as long as anything answers, ready only when a push would work."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from entrepot.app.health import Health
from entrepot.domain.error import StorageFull, Throttled
from entrepot.store.blob.memory import MemoryBlobStore
from entrepot.store.metadata.base import Database


class FullStore(MemoryBlobStore):
    def check_room(self) -> None:
        raise StorageFull


async def test_ready(database: Database) -> None:
    health = Health(database, MemoryBlobStore())
    assert (await health.ready()).status == 200
    assert (await health.live()).body == b"ok\n"
    assert set(health.probes()) == {"/healthz", "/readyz"}


async def test_a_full_store_is_not_ready(database: Database) -> None:
    answer = await Health(database, FullStore()).ready()
    assert (answer.status, answer.body) == (503, b"not ready: store\n")


@pytest.mark.parametrize("store", [MemoryBlobStore()])
async def test_a_lost_database_is_not_ready_but_alive(database: Database, store: MemoryBlobStore) -> None:
    class Lost:
        dialect = "sqlite"
        looks_up_inline = True

        async def read(self, query: object) -> object:
            raise Throttled from OSError("connection refused,\n\tis it running?")

    health = Health(Lost(), store)  # type: ignore[arg-type]  # as much of a database as the probe asks for
    with capture_logs() as lines:
        answer = await health.ready()
    assert (answer.status, answer.body) == (503, b"not ready: database\n")
    assert [line["error"] for line in lines] == ["connection refused, is it running?"]
    assert (await health.live()).status == 200
