"""Resource tags: merged, limited and removed with their repository's row locked."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.domain.error import RepositoryNotFound, TooManyTags
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.repository import RepositoryService
from entrepot.service.resource_tag import ResourceTagService
from entrepot.store.metadata.base import Database
from tests.support.service import REGISTRY

NAME = RepositoryName("team/app")


@pytest.fixture
async def resource_tags(database: Database, repository_service: RepositoryService) -> ResourceTagService:
    await repository_service.create(REGISTRY, NAME, RepositorySettings(), {"team": "a", "Stage": "dev"})
    return ResourceTagService(database)


async def test_tags_come_in_bytewise_order(resource_tags: ResourceTagService) -> None:
    assert list((await resource_tags.list(REGISTRY, NAME)).items()) == [("Stage", "dev"), ("team", "a")]


async def test_the_same_key_overwrites_and_case_matters(resource_tags: ResourceTagService) -> None:
    await resource_tags.add(REGISTRY, NAME, {"team": "b", "Team": "c"})
    assert await resource_tags.list(REGISTRY, NAME) == {"Stage": "dev", "Team": "c", "team": "b"}


async def test_nothing_to_add_is_fine(resource_tags: ResourceTagService) -> None:
    await resource_tags.add(REGISTRY, NAME, {})
    assert len(await resource_tags.list(REGISTRY, NAME)) == 2


async def test_removal_ignores_unknown_keys(resource_tags: ResourceTagService) -> None:
    await resource_tags.remove(REGISTRY, NAME, ["team", "TEAM", "none"])
    assert await resource_tags.list(REGISTRY, NAME) == {"Stage": "dev"}


async def test_fifty_tags_fit_and_one_more_changes_nothing(resource_tags: ResourceTagService) -> None:
    await resource_tags.add(REGISTRY, NAME, {f"key-{number}": "v" for number in range(48)})
    with pytest.raises(TooManyTags):
        await resource_tags.add(REGISTRY, NAME, {"team": "changed", "one-more": "v"})
    tags = await resource_tags.list(REGISTRY, NAME)
    assert (len(tags), tags["team"]) == (50, "a")
    await resource_tags.add(REGISTRY, NAME, {"team": "changed"})


async def test_the_limit_holds_against_many_at_once(
    resource_tags: ResourceTagService, second_database: Database
) -> None:
    services = [resource_tags, ResourceTagService(second_database)]
    await asyncio.gather(
        *(
            service.add(REGISTRY, NAME, {f"{place}-{number}-{index}": "v" for index in range(10)})
            for place, service in enumerate(services)
            for number in range(4)
        ),
        return_exceptions=True,
    )
    assert len(await resource_tags.list(REGISTRY, NAME)) == 42


async def test_a_missing_repository(resource_tags: ResourceTagService) -> None:
    missing = RepositoryName("missing")
    for attempt in (
        resource_tags.add(REGISTRY, missing, {"k": "v"}),
        resource_tags.remove(REGISTRY, missing, ["k"]),
        resource_tags.list(REGISTRY, missing),
    ):
        with pytest.raises(RepositoryNotFound):
            await attempt
