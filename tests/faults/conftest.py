"""A server with two workers for each test, on SQLite or PostgreSQL, and bytes to push."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.database import PostgresAddress
from tests.support.registry_client import RegistryClient
from tests.support.server import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here; one process runs it, so that servers do not fight for two cores."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.xdist_group("faults"))


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Started, with two workers."""
    environment = {}
    if request.param == "postgresql":
        address: PostgresAddress = request.getfixturevalue("postgres_address")
        environment["ENTREPOT_DATABASE_URL"] = address.url
    server = Server(tmp_path / "data", tmp_path / "home", environment=environment)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def client(server: Server) -> RegistryClient:
    """Logged in, with the repository `faults`."""
    client = RegistryClient(server)
    client.create("faults")
    return client


@pytest.fixture
def data() -> Callable[[int], bytes]:
    """Random bytes, the same on every run."""
    return random.Random(7).randbytes
