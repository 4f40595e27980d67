"""Repositories: limits, races, pages, and what a deletion takes along."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from entrepot.domain.error import (
    InvalidParameter,
    LimitExceeded,
    RepositoryAlreadyExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
)
from entrepot.domain.page import PageRequest
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.domain.tag_mutability import Mode, TagMutability
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database, to_micros
from tests.support.repository_rows import fill_repository
from tests.support.service import ACCOUNT, REGISTRY, Clock

NAME = RepositoryName("team/app")
OTHER_REGION = Registry(ACCOUNT, "eu-west-1")
PLAIN = RepositorySettings()


async def rows_of(database: Database, table: Any) -> list[Any]:
    return await database.read(lambda connection: list(connection.execute(select(table)).all()))


async def test_a_created_repository_is_found_as_it_was_made(
    repository_service: RepositoryService, clock: Clock
) -> None:
    settings = RepositorySettings(TagMutability(Mode.IMMUTABLE_WITH_EXCLUSION, ("dev-*", "latest")), scan_on_push=True)
    made = await repository_service.create(REGISTRY, NAME, settings, {})
    assert (made.name, made.registry, made.created_at, made.settings) == (NAME, REGISTRY, clock.now, settings)
    assert await repository_service.get(REGISTRY, NAME) == made
    view = await repository_service.view(ACCOUNT, REGISTRY, NAME)
    assert view.repository == made
    assert view.caller_epoch == view.owner_epoch is not None


async def test_names_are_per_region(repository_service: RepositoryService) -> None:
    first = await repository_service.create(REGISTRY, NAME, PLAIN, {})
    second = await repository_service.create(OTHER_REGION, NAME, PLAIN, {})
    assert first.id != second.id
    await repository_service.delete(REGISTRY, NAME, force=False)
    assert await repository_service.get(OTHER_REGION, NAME) == second


async def test_a_name_is_taken_once(repository_service: RepositoryService) -> None:
    await repository_service.create(REGISTRY, NAME, PLAIN, {})
    with pytest.raises(RepositoryAlreadyExists):
        await repository_service.create(REGISTRY, NAME, PLAIN, {})


async def test_of_many_who_create_one_name_one_succeeds(
    database: Database, second_database: Database, context: Context, repository_service: RepositoryService
) -> None:
    key = await KeyService.open(second_database, context, bytes(range(32)))
    services = [repository_service, RepositoryService(second_database, context, key)] * 4
    outcomes = await asyncio.gather(
        *(service.create(REGISTRY, NAME, PLAIN, {"k": "v"}) for service in services), return_exceptions=True
    )
    made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, RepositoryAlreadyExists)]
    assert (len(made), len(refused)) == (1, 7)
    assert len(await rows_of(database, schema.registry)) == 1
    assert len(await rows_of(database, schema.encryption_domain)) == 1
    assert len(await rows_of(database, schema.event)) == 1


async def test_a_full_registry_takes_no_more(
    database: Database, context: Context, key_service: KeyService, repository_service: RepositoryService
) -> None:
    service = RepositoryService(database, context, key_service, repositories_max=3)
    names = [RepositoryName(f"app-{number}") for number in range(6)]
    outcomes = await asyncio.gather(
        *(service.create(REGISTRY, name, PLAIN, {}) for name in names), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, LimitExceeded)]
    assert [outcome.detail for outcome in refused] == ["A registry can have at most 3 repositories"] * 3
    await service.create(OTHER_REGION, NAME, PLAIN, {})
    with pytest.raises(RepositoryAlreadyExists):  # rather than the limit
        await service.create(REGISTRY, next(o.name for o in outcomes if not isinstance(o, BaseException)), PLAIN, {})


async def test_an_account_that_does_not_exist_has_no_registry(repository_service: RepositoryService) -> None:
    with pytest.raises(InvalidParameter):
        await repository_service.create(Registry("999999999999", "us-east-1"), NAME, PLAIN, {})


async def test_named_repositories_are_all_or_none(repository_service: RepositoryService) -> None:
    page = PageRequest(1)
    for text in ("b", "a", "c"):
        await repository_service.create(REGISTRY, RepositoryName(text), PLAIN, {})
    wanted = [RepositoryName(text) for text in ("c", "a", "c")]
    found = await repository_service.describe(REGISTRY, wanted, page)
    assert ([item.name for item in found.items], found.next_key) == (["a", "c"], None)
    with pytest.raises(RepositoryNotFound) as missing:
        await repository_service.describe(REGISTRY, [RepositoryName("a"), RepositoryName("x")], page)
    assert missing.value.name == "x"


async def test_pages_end_without_a_key(repository_service: RepositoryService) -> None:
    assert (await repository_service.describe(REGISTRY, None, PageRequest(2))).items == []
    for text in ("b", "a", "c", "d"):
        await repository_service.create(REGISTRY, RepositoryName(text), PLAIN, {})
    first = await repository_service.describe(REGISTRY, None, PageRequest(2))
    assert ([item.name for item in first.items], first.next_key) == (["a", "b"], ("b",))
    last = await repository_service.describe(REGISTRY, None, PageRequest(2, first.next_key))
    assert ([item.name for item in last.items], last.next_key) == (["c", "d"], None)


async def test_settings_change(repository_service: RepositoryService) -> None:
    await repository_service.create(REGISTRY, NAME, PLAIN, {})
    setting = TagMutability(Mode.MUTABLE_WITH_EXCLUSION, ("release-*",))
    assert (await repository_service.set_tag_mutability(REGISTRY, NAME, setting)).settings.tag_mutability == setting
    changed = await repository_service.set_scan_on_push(REGISTRY, NAME, scan_on_push=True)
    assert changed.settings == RepositorySettings(setting, scan_on_push=True)
    assert await repository_service.get(REGISTRY, NAME) == changed


async def test_what_is_missing_cannot_be_changed(repository_service: RepositoryService) -> None:
    for attempt in (
        repository_service.get(REGISTRY, NAME),
        repository_service.delete(REGISTRY, NAME, force=True),
        repository_service.set_tag_mutability(REGISTRY, NAME, TagMutability()),
        repository_service.set_scan_on_push(REGISTRY, NAME, scan_on_push=True),
    ):
        with pytest.raises(RepositoryNotFound):
            await attempt
    assert (await repository_service.view(ACCOUNT, REGISTRY, NAME)).repository is None


async def test_images_keep_a_repository_from_deletion(
    database: Database, repository_service: RepositoryService
) -> None:
    made = await repository_service.create(REGISTRY, NAME, PLAIN, {"team": "a"})
    await database.write(lambda connection: fill_repository(connection, made.id))
    with pytest.raises(RepositoryNotEmpty):
        await repository_service.delete(REGISTRY, NAME, force=False)
    assert await repository_service.get(REGISTRY, NAME) == made
    assert len(await rows_of(database, schema.manifest)) == 3


async def test_a_forced_deletion_takes_everything_and_dooms_uploads(
    database: Database, repository_service: RepositoryService, clock: Clock
) -> None:
    kept = await repository_service.create(REGISTRY, RepositoryName("kept"), PLAIN, {"team": "b"})
    await database.write(lambda connection: fill_repository(connection, kept.id))
    before = {table.name: await rows_of(database, table) for table in schema.metadata.sorted_tables}
    made = await repository_service.create(REGISTRY, NAME, PLAIN, {"team": "a"})
    lease_end = to_micros(clock.now) + 5
    await database.write(lambda connection: fill_repository(connection, made.id, lease_end=lease_end))

    assert await repository_service.delete(REGISTRY, NAME, force=True) == made

    after = {table.name: await rows_of(database, table) for table in schema.metadata.sorted_tables}
    doomed = {row.storage_key: row.not_before for row in after.pop("doomed_object")}
    assert doomed == {f"upload-{made.id}-idle": to_micros(clock.now), f"upload-{made.id}-leased": lease_end}
    assert [row.kind for row in after.pop("event")] == ["repository.created"] * 2 + ["repository.deleted"]
    assert len(after.pop("blob")) == len(before["blob"]) + 1  # the collector's business, now without links
    assert after == {name: rows for name, rows in before.items() if name in after}


async def test_filling_touches_every_table_of_a_repository(
    database: Database, repository_service: RepositoryService
) -> None:
    """So that a new table which hangs on repositories cannot be forgotten when they are deleted."""
    made = await repository_service.create(REGISTRY, NAME, PLAIN, {"team": "a"})
    await database.write(lambda connection: fill_repository(connection, made.id))
    hanging = {schema.repository.name}
    for table in schema.metadata.sorted_tables:
        if any(key.column.table.name in hanging for key in table.foreign_keys):
            hanging.add(table.name)
    for name in hanging:
        assert await rows_of(database, schema.metadata.tables[name]), name


async def test_a_name_is_free_after_deletion_and_the_row_id_is_new(repository_service: RepositoryService) -> None:
    first = await repository_service.create(REGISTRY, NAME, PLAIN, {})
    await repository_service.delete(REGISTRY, NAME, force=False)
    second = await repository_service.create(REGISTRY, NAME, PLAIN, {})
    assert second.id > first.id


async def test_events_are_lost_with_a_change_that_fails(
    database: Database, repository_service: RepositoryService
) -> None:
    await repository_service.create(REGISTRY, NAME, PLAIN, {})
    with pytest.raises(RepositoryAlreadyExists):
        await repository_service.create(REGISTRY, NAME, PLAIN, {})
    assert [row.kind for row in await rows_of(database, schema.event)] == ["repository.created"]
