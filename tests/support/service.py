"""Fixtures: services on a database of a test's own, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata.base import Database

ACCOUNT = "123456789012"
REGISTRY = Registry(ACCOUNT, "us-east-1")


@dataclass
class Clock:
    """A time that stands still until it is moved."""

    now: datetime = datetime(2026, 11, 1, tzinfo=UTC)

    def forward(self, **duration: float) -> None:
        """Move on: `forward(hours=12)`."""
        self.now += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def context(clock: Clock) -> Context:
    """Real randomness at the clock's time."""
    return Context(now=lambda: clock.now)


@pytest.fixture
async def key_service(database: Database, context: Context) -> KeyService:
    return await KeyService.open(database, context, bytes(range(32)), database_is_new=True)


@pytest.fixture
async def identity_service(database: Database, context: Context, key_service: KeyService) -> IdentityService:
    """With the account `ACCOUNT`."""
    service = IdentityService(database, context, key_service)
    await service.ensure_account(ACCOUNT, "first")
    return service


@pytest.fixture
def repository_service(
    database: Database, context: Context, key_service: KeyService, identity_service: IdentityService
) -> RepositoryService:
    """Repositories of an account that exists."""
    return RepositoryService(database, context, key_service)
