"""Policies set against other changes of the same repository or registry, on two connections interleaved."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection

from entrepot.domain.error import RepositoryNotFound
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.account_setting import AccountSettingService
from entrepot.service.context import Context
from entrepot.service.registry_policy import RegistryPolicyService
from entrepot.service.repository import RepositoryService
from entrepot.service.repository_policy import RepositoryPolicyService
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.registry import hold_registry
from entrepot.store.metadata.repository import hold_repository
from entrepot.store.metadata.repository_removal import delete_repository
from entrepot.store.metadata.resource_policy import put_policy
from entrepot.store.metadata.schema import registry_policy, repository_policy
from tests.support.policy import text_of
from tests.support.race import asked, held_open
from tests.support.service import REGISTRY

NAME = RepositoryName("app")
TEXT = text_of({"Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages", "Resource": "*"})
EARLIER = SavedPolicy(text_of({"Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Resource": "*"}), {})


@pytest.fixture
async def policies(second_database: Database, repository_service: RepositoryService) -> RepositoryPolicyService:
    """Policies on the second connection, of a registry with one repository."""
    await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})
    return RepositoryPolicyService(second_database)


async def test_a_policy_waits_for_the_deletion_of_its_repository(
    database: Database, policies: RepositoryPolicyService
) -> None:
    def delete(connection: Connection) -> None:
        held = hold_repository(connection, REGISTRY, NAME, is_for_deletion=True)
        assert held
        delete_repository(connection, held.repository.id, 1)

    async with held_open(database, delete):
        setting = asyncio.ensure_future(policies.set(REGISTRY, NAME, TEXT))
        await asked(setting)
    with pytest.raises(RepositoryNotFound):
        await setting


async def test_a_deletion_takes_the_policy_that_it_waited_for(
    database: Database, policies: RepositoryPolicyService, repository_service: RepositoryService
) -> None:
    def put(connection: Connection) -> None:
        held = hold_repository(connection, REGISTRY, NAME)
        assert held
        put_policy(connection, repository_policy, held.repository.id, EARLIER)

    async with held_open(database, put):
        deleting = asyncio.ensure_future(repository_service.delete(REGISTRY, NAME, force=False))
        await asked(deleting)
    await deleting
    with pytest.raises(RepositoryNotFound):
        await policies.get(REGISTRY, NAME)


async def test_the_later_of_two_policies_stays(database: Database, policies: RepositoryPolicyService) -> None:
    def put(connection: Connection) -> None:
        held = hold_repository(connection, REGISTRY, NAME)
        assert held
        put_policy(connection, repository_policy, held.repository.id, EARLIER)

    async with held_open(database, put):
        setting = asyncio.ensure_future(policies.set(REGISTRY, NAME, TEXT))
        await asked(setting)
    await setting
    assert await policies.get(REGISTRY, NAME) == TEXT


async def test_the_first_policies_of_a_registry_at_once_make_one_row(
    database: Database, second_database: Database, context: Context, repository_service: RepositoryService
) -> None:
    del repository_service  # made the account

    def put(connection: Connection) -> None:
        put_policy(connection, registry_policy, hold_registry(connection, REGISTRY, 1), EARLIER)

    later = RegistryPolicyService(second_database, context, AccountSettingService(second_database, context))
    async with held_open(database, put):
        putting = asyncio.ensure_future(later.put(REGISTRY, TEXT))
        await asked(putting)
    await putting
    assert await later.get(REGISTRY) == TEXT
