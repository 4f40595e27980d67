"""Deletion of a repository against a push into it, on two connections interleaved."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, func, select

from entrepot.domain.error import RepositoryAlreadyExists, RepositoryNotEmpty, RepositoryNotFound
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.repository import hold_repository
from entrepot.store.metadata.repository_key import get_repository_key
from entrepot.store.metadata.repository_removal import delete_repository
from tests.support.race import DEADLINE, asked, held_open
from tests.support.repository_rows import insert_manifest
from tests.support.service import REGISTRY

NAME = RepositoryName("app")


@pytest.fixture
async def second_service(
    second_database: Database, context: Context, repository_service: RepositoryService
) -> RepositoryService:
    key = await KeyService.open(second_database, context, bytes(range(32)))
    return RepositoryService(second_database, context, key)


def push(connection: Connection) -> None:
    """What the push of an image does to the repository's row and to what hangs on it."""
    key = get_repository_key(connection, REGISTRY, NAME, is_locked=True)
    insert_manifest(connection, key.id, "image")


@pytest.mark.parametrize("force", [False, True])
async def test_a_deletion_waits_for_a_push(
    database: Database, repository_service: RepositoryService, second_service: RepositoryService, force: bool
) -> None:
    await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})
    async with held_open(database, push):
        deleting = asyncio.ensure_future(second_service.delete(REGISTRY, NAME, force))
        await asked(deleting)
    if force:
        await deleting
    else:
        with pytest.raises(RepositoryNotEmpty):
            await deleting
    count = await database.read(lambda connection: connection.scalar(select(func.count(schema.manifest.c.id))))
    assert count == (0 if force else 1)


async def test_a_push_waits_for_a_deletion(
    database: Database, second_database: Database, repository_service: RepositoryService
) -> None:
    await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})

    def delete(connection: Connection) -> None:
        held = hold_repository(connection, REGISTRY, NAME, is_for_deletion=True)
        assert held
        delete_repository(connection, held.repository.id, 1)

    async with held_open(database, delete):
        pushing = asyncio.ensure_future(second_database.write(push))
        await asked(pushing)
    with pytest.raises(RepositoryNotFound):
        await pushing


async def test_pushes_do_not_wait_for_a_change_of_settings(
    database: Database, second_database: Database, repository_service: RepositoryService
) -> None:
    if database.dialect == "sqlite":
        return  # one writer: everything waits
    await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})
    async with held_open(database, lambda connection: hold_repository(connection, REGISTRY, NAME)):
        await asyncio.wait_for(second_database.write(push), DEADLINE)


async def test_a_name_is_free_when_its_deletion_commits(
    database: Database, repository_service: RepositoryService, second_service: RepositoryService
) -> None:
    first = await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})
    with pytest.raises(RepositoryAlreadyExists):
        await second_service.create(REGISTRY, NAME, RepositorySettings(), {})

    def delete(connection: Connection) -> None:
        hold_repository(connection, REGISTRY, NAME, is_for_deletion=True)
        delete_repository(connection, first.id, 1)

    async with held_open(database, delete):
        creating = asyncio.ensure_future(second_service.create(REGISTRY, NAME, RepositorySettings(), {}))
        await asked(creating)
    assert (await creating).id > first.id
