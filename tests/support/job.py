"""Fixtures: the job queue on a database of a test's own, as two workers see it, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy import Connection

from entrepot.service.context import Context
from entrepot.service.job import JobService
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.clock import database_now


@dataclass
class DatabaseClock:
    """The database's clock, moved on by hand for all who read it through this."""

    ahead_micros: int = 0

    def __call__(self, connection: Connection) -> int:
        return database_now(connection) + self.ahead_micros

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.ahead_micros += int(seconds * 1_000_000)


@pytest.fixture
def database_clock() -> DatabaseClock:
    return DatabaseClock()


@pytest.fixture
def jobs(database: Database, database_clock: DatabaseClock) -> JobService:
    """The queue as the first worker has it open."""
    return JobService(database, Context(), database_clock)


@pytest.fixture
def other_jobs(second_database: Database, database_clock: DatabaseClock) -> JobService:
    """The same queue as another worker has it open."""
    return JobService(second_database, Context(), database_clock)
