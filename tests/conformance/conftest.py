"""What the conformance tests judge: a registry of their own, or one named by the environment.

ENTREPOT_CONFORMANCE_URL            https://registry.example.com
ENTREPOT_CONFORMANCE_LOGIN          user:password; unset for none
ENTREPOT_CONFORMANCE_REPOSITORIES   two names, separated by a comma, that may be filled; they must exist where
                                    the registry does not make them by itself
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.support.database import SqliteAddress
from tests.support.registry import running_registry
from tests.support.wire import Client, basic

URL = os.environ.get("ENTREPOT_CONFORMANCE_URL", "")
LOGIN = os.environ.get("ENTREPOT_CONFORMANCE_LOGIN", "")
REPOSITORIES = os.environ.get("ENTREPOT_CONFORMANCE_REPOSITORIES", "conformance/one,conformance/two")


@dataclass(frozen=True, slots=True)
class Subject:
    """The registry under judgement."""

    client: Client
    repository: str
    other_repository: str


@pytest.fixture
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    repository, _, other = REPOSITORIES.partition(",")
    if URL:
        user, _, password = LOGIN.partition(":")
        async with ClientSession(auto_decompress=False) as session:
            yield Subject(Client(session, URL.rstrip("/"), basic(password, user) if LOGIN else None), repository, other)
        return
    address: SqliteAddress = request.getfixturevalue("sqlite_address")
    async with running_registry(address, tmp_path / "data") as registry:
        for name in (repository, other):
            await registry.create_repository(name)
        yield Subject(registry.client, repository, other)
