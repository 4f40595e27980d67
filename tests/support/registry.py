"""A whole registry inside the test process: real services, real bytes on disk, a real socket, a clock to turn.

It is put together by `app.wiring`, as in a worker, and lives as long as one test.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from pydantic import SecretStr

from entrepot.app import engine, wiring
from entrepot.app.aws_policy import load_aws_policies
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.deployment import Deployment
from entrepot.app.listener import Listener
from entrepot.domain.identity import AccessKey
from entrepot.domain.principal import Caller, root_of
from entrepot.domain.registry import Registry
from entrepot.domain.registry_url import RegistryUrl
from entrepot.domain.repository import Repository, RepositorySettings, parse_repository_name
from entrepot.domain.tag_mutability import parse_tag_mutability
from entrepot.service.context import Context
from entrepot.service.services import Services
from entrepot.store.metadata.base import Database
from entrepot.transport.middleware import build_server
from tests.support.database import DatabaseAddress, PostgresAddress, SqliteAddress
from tests.support.wire import Client, basic

HOME = Registry("123456789012", "us-east-1")
OTHER_ACCOUNT = "210987654321"
ACCOUNTS = (HOME.account_id, OTHER_ACCOUNT)


class Clock:
    """The time of the registry: the machine's, moved on by hand."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._ahead += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class RunningRegistry:
    """A registry that answers on `url`."""

    url: str
    services: Services
    database: Database
    clock: Clock
    client: Client
    """Logged in as root of the home account."""
    root_keys: dict[str, AccessKey]
    """By account."""
    application: wiring.Application
    home: Registry = HOME

    async def create_repository(
        self, name: str, *, mutability: str = "MUTABLE", registry: Registry | None = None
    ) -> Repository:
        """Make an empty repository."""
        settings = RepositorySettings(parse_tag_mutability(mutability, None))
        return await self.services.repository.create(registry or self.home, parse_repository_name(name), settings, {})

    async def password(self, account_id: str | None = None, registry: Registry | None = None) -> str:
        """A token for the root user of an account; for that account's registry in the home region, unless given."""
        account_id = account_id or self.home.account_id
        caller = Caller(root_of(account_id), self.root_keys[account_id].id)
        issued = await self.services.registry_token.issue(caller, registry or Registry(account_id, self.home.region))
        return issued.password

    async def logged_in(self, account_id: str) -> Client:
        """A client of another account."""
        return Client(self.client.session, self.url, basic(await self.password(account_id)))


def registry_settings(directory: Path, **given: Any) -> Settings:
    """Settings of a registry below `directory`, whatever the environment of the test run says."""
    fixed: dict[str, Any] = {
        "data_dir": directory,
        "master_key": SecretStr(secrets.token_hex(32)),
        "account_id": HOME.account_id,
        "region": HOME.region,
        "aws_profile": "",
    }
    return Settings(**(fixed | given))


@asynccontextmanager
async def running_registry(address: DatabaseAddress, directory: Path, **given: Any) -> AsyncIterator[RunningRegistry]:
    """Put a registry together, listen on a free port, log in."""
    clock, settings = Clock(), registry_settings(directory, **given)
    context = Context(now=clock.now)
    paths = DataDirectory.of(settings)
    paths.create()
    async with AsyncExitStack() as stack:
        database = address.open()
        keys = await engine.open_keys(database, context, settings, paths)
        bound = socket.create_server(("127.0.0.1", 0))
        stack.callback(bound.close)
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        known = load_aws_policies(settings.aws_policies)
        deployment = Deployment(settings, paths, (Listener.parse(url),), RegistryUrl(url), known)
        application = wiring.assemble(deployment, database, context, keys, engine.open_blob_store(settings, paths))
        stack.push_async_callback(application.close)
        front = build_server(application.handler(url), open_lane=application.open_lane(url))
        stack.push_async_callback(front.shutdown, 5)
        server = await asyncio.get_running_loop().create_server(front, sock=bound)
        stack.callback(server.close)
        session = await stack.enter_async_context(ClientSession(connector=TCPConnector(limit=0), auto_decompress=False))
        yield await _open(url, application, clock, session)


async def _open(url: str, application: wiring.Application, clock: Clock, session: ClientSession) -> RunningRegistry:
    """Make the accounts and log in."""
    services = application.services
    for account_id in ACCOUNTS:
        await services.identity.create_account(account_id, account_id)
    root_keys = {account_id: await services.identity.root_key(account_id) for account_id in ACCOUNTS}
    root = Client(session, url)
    made = RunningRegistry(url, services, application.database, clock, root, root_keys, application)
    return replace(made, client=Client(session, url, basic(await made.password())))


@pytest.fixture
async def registry(database_address: DatabaseAddress, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """A registry of the test's own, on each engine."""
    async with running_registry(database_address, tmp_path / "data") as running:
        yield running


@pytest.fixture
async def sqlite_registry(sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """A registry of the test's own on SQLite, for tables of requests that no engine answers differently."""
    async with running_registry(sqlite_address, tmp_path / "data") as running:
        yield running


@pytest.fixture
async def postgres_registry(postgres_address: PostgresAddress, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """A registry of the test's own on PostgreSQL: takes a whole table of requests in one go."""
    async with running_registry(postgres_address, tmp_path / "data") as running:
        yield running
