"""A server with two workers for each test, on SQLite or PostgreSQL, and bytes to push."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.database import PostgresAddress
from tests.support.registry_client import RegistryClient
from tests.support.server import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.faults)


STALL_LIMIT_SECONDS = 1.0
"""A loop that stands still for longer answers nobody, whatever the fault."""


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Start a server, end it after the test, and fail if one of its loops stood still."""
    try:
        server.start()
        yield server
        assert server.longest_stall_seconds() < STALL_LIMIT_SECONDS
    finally:
        server.close()


@pytest.fixture
def sqlite_server(tmp_path: Path) -> Iterator[Server]:
    """Started, with two workers, on SQLite."""
    with running(Server(tmp_path / "data", tmp_path / "home")) as server:
        yield server


@pytest.fixture
def postgres_server_process(tmp_path: Path, postgres_address: PostgresAddress) -> Iterator[Server]:
    """The same on PostgreSQL."""
    environment = {"ENTREPOT_DATABASE_URL": postgres_address.url}
    with running(Server(tmp_path / "data", tmp_path / "home", environment=environment)) as server:
        yield server


@pytest.fixture(params=["sqlite_server", "postgres_server_process"], ids=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    """On each engine; a module for which the engine has no part takes `sqlite_server` instead."""
    started: Server = request.getfixturevalue(request.param)
    return started


@pytest.fixture
def encryption_type() -> str:
    """Of the repository `faults`; modules that push on a server that dies have it with KMS keys too."""
    return "AES256"


@pytest.fixture
def client(server: Server, encryption_type: str) -> RegistryClient:
    """Logged in, with the repository `faults`."""
    client = RegistryClient(server)
    client.create("faults", encryption_type)
    return client


EVERY_ENCRYPTION = pytest.mark.parametrize(
    ("server", "encryption_type"),
    [("sqlite_server", "AES256"), ("postgres_server_process", "KMS"), ("sqlite_server", "KMS_DSSE")],
    ids=["sqlite-AES256", "postgresql-KMS", "sqlite-KMS_DSSE"],
    indirect=["server"],
)
"""Both engines and each type of encryption, with as few runs as that takes."""


@pytest.fixture
def data() -> Callable[[int], bytes]:
    """Random bytes, the same on every run."""
    return random.Random(7).randbytes
