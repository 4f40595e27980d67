"""Job handlers: every kind has one, and what comes again by the clock is done by the services."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from entrepot.app.config import Settings
from entrepot.app.job_handler import crons, handlers
from entrepot.domain.job import JobKind
from entrepot.service.event import EventService
from entrepot.service.garbage import Collected
from tests.support.database import SqliteAddress
from tests.support.registry import running_registry


async def test_every_kind_has_a_handler_that_works(sqlite_address: SqliteAddress, tmp_path: Path) -> None:
    async with running_registry(sqlite_address, tmp_path / "data") as registry:
        services = registry.services
        known = handlers(services, EventService(registry.database, services.context))
        assert set(known) == set(JobKind)
        for kind in known:
            await services.job.submit(kind)
        for claim in await services.job.claim("test", list(known), 99):
            assert await services.job.finish(claim, await known[claim.kind](claim))
        done = {job.kind: job.result for job in await services.job.list_jobs(state="done")}
    assert done == {
        "upload-sweep": {"uploads": 0, "objects": 0},
        "garbage": {**asdict(Collected(is_over=True)), "uploads": 0, "objects": 0},
        "token-purge": {"removed": 0, "removedRobotTokens": 0},
        "key-purge": {"removed": 0},
        "kms-deletion": {"removed": 0},
        "kms-rotation": {"rotated": 0},
        "event-purge": {"removed": 0},
        "job-purge": {"removed": 0},
    }


def test_every_period_is_of_a_kind_and_of_one_length() -> None:
    kinds = [cron.kind for cron in crons(Settings())]
    assert set(kinds) <= set(JobKind)
    assert len(kinds) == len(set(kinds))
