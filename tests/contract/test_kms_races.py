"""Changes of keys that meet: two workers on one database, and what must hold whoever is first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from functools import partial

import pytest
from sqlalchemy import Connection, Table, func, select

from entrepot.domain.kms import KeyState, KmsKey
from entrepot.domain.kms_error import (
    AliasNotFound,
    AliasTaken,
    KeyNotFound,
    KeyStateInvalid,
    KmsError,
    KmsQuotaExceeded,
)
from entrepot.domain.page import PageRequest
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.kms.alias import KmsAliasService
from entrepot.service.kms.key import KmsKeys
from entrepot.service.kms.lifecycle import KmsLifecycleService
from entrepot.service.kms.rotation import KmsRotationService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from tests.support.kms import make_key
from tests.support.service import REGISTRY, Clock

ALL = PageRequest(1000)


@dataclass
class Worker:
    """The services of one worker."""

    keys: KmsKeys
    life: KmsLifecycleService
    aliases: KmsAliasService
    rotation: KmsRotationService


@pytest.fixture
async def workers(
    database: Database,
    second_database: Database,
    context: Context,
    key_service: KeyService,
    identity_service: IdentityService,
) -> list[Worker]:
    """Two of them, with an account."""
    assert await identity_service.list_accounts()
    second_keys = await KeyService.open(second_database, context, bytes(range(32)))
    return [
        Worker(
            KmsKeys(place, keys),
            KmsLifecycleService(place, context, keys),
            KmsAliasService(place, context),
            KmsRotationService(place, context, keys),
        )
        for place, keys in ((database, key_service), (second_database, second_keys))
    ]


@pytest.fixture
async def key(workers: list[Worker], database: Database, context: Context, key_service: KeyService) -> KmsKey:
    return await database.write(lambda connection: make_key(connection, context, key_service, REGISTRY))


async def together(calls: Iterable[Awaitable[object]]) -> list[object]:
    """Results and refusals of calls made at once; anything but a refusal of KMS is a failure."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, KmsError):
            raise outcome
    return list(outcomes)


def refusals(outcomes: list[object]) -> list[type]:
    return [type(outcome) for outcome in outcomes if isinstance(outcome, KmsError)]


def count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


async def test_one_of_many_gets_an_alias(workers: list[Worker], key: KmsKey) -> None:
    outcomes = await together(
        worker.aliases.create(REGISTRY, "alias/build", key) for _ in range(4) for worker in workers
    )

    assert refusals(outcomes) == [AliasTaken] * 7
    assert len((await workers[1].aliases.list(REGISTRY, ALL, None)).items) == 1


async def test_the_last_alias_is_given_once(
    workers: list[Worker], key: KmsKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.service.kms.alias.ALIASES_MAX", 3)
    outcomes = await together(
        worker.aliases.create(REGISTRY, f"alias/{place}{number}", key)
        for number in range(4)
        for place, worker in enumerate(workers)
    )

    assert refusals(outcomes) == [KmsQuotaExceeded] * 5
    assert len((await workers[0].aliases.list(REGISTRY, ALL, key)).items) == 3


async def test_an_alias_that_moved_is_not_taken_from_where_it_was(
    workers: list[Worker], key: KmsKey, database: Database, context: Context, key_service: KeyService
) -> None:
    """Who was allowed to take it from one key was not asked about another."""
    other = await database.write(lambda connection: make_key(connection, context, key_service, REGISTRY))
    await workers[0].aliases.create(REGISTRY, "alias/build", key)
    seen = await workers[0].aliases.find(REGISTRY, "alias/build")
    assert await workers[1].aliases.move(seen, other)

    assert not await workers[0].aliases.delete(seen)
    assert not await workers[0].aliases.move(seen, key)
    assert (await workers[0].keys.find(REGISTRY, "alias/build")).id == other.id
    now = await workers[0].aliases.find(REGISTRY, "alias/build")
    outcomes = await together(worker.aliases.delete(now) for _ in range(3) for worker in workers)
    assert refusals(outcomes) == [AliasNotFound] * 5


async def test_no_rotation_is_lost(workers: list[Worker], key: KmsKey) -> None:
    await together(worker.rotation.rotate_on_demand(key) for _ in range(5) for worker in workers)

    found = await workers[0].keys.find(REGISTRY, key.id)
    assert found.version == 11
    material = [await workers[1].keys.material(found, number) for number in range(1, 12)]
    assert len({one.secret for one in material if one is not None}) == 11


async def test_a_key_that_is_due_rotates_once(workers: list[Worker], key: KmsKey, clock: Clock) -> None:
    await workers[0].rotation.enable(key, 90)
    clock.forward(days=91)
    outcomes = await together(worker.rotation.rotate_due() for _ in range(3) for worker in workers)

    assert sorted(map(str, outcomes)) == ["0", "0", "0", "0", "0", "1"]
    assert (await workers[0].keys.find(REGISTRY, key.id)).version == 2


async def test_a_deletion_is_cancelled_or_done(workers: list[Worker], key: KmsKey, clock: Clock) -> None:
    await workers[0].life.schedule_deletion(key, 7)
    clock.forward(days=8)
    done, cancelled = await together([workers[0].life.delete_due(), workers[1].life.cancel_deletion(key)])

    if done:
        assert refusals([cancelled]) == [KeyNotFound]
        with pytest.raises(KeyNotFound):
            await workers[1].keys.find(REGISTRY, key.id)
    else:
        assert cancelled is None
        assert (await workers[0].keys.find(REGISTRY, key.id)).state is KeyState.DISABLED


async def test_a_deletion_is_scheduled_once(workers: list[Worker], key: KmsKey) -> None:
    outcomes = await together(worker.life.schedule_deletion(key, 7) for _ in range(3) for worker in workers)
    assert refusals(outcomes) == [KeyStateInvalid] * 5


async def test_nothing_hangs_on_a_key_that_is_deleted(
    workers: list[Worker], key: KmsKey, clock: Clock, database: Database
) -> None:
    """Whoever names, rotates or switches it on at the same moment is refused, or was first and is undone with it."""
    await workers[0].life.schedule_deletion(key, 7)
    clock.forward(days=8)
    await together(
        [
            workers[0].life.delete_due(),
            workers[1].aliases.create(REGISTRY, "alias/late", key),
            workers[1].rotation.rotate_on_demand(key),
            workers[1].life.set_enabled(key, is_enabled=True),
            workers[1].life.delete_due(),
        ]
    )
    for table in (schema.kms_key, schema.kms_key_version, schema.kms_alias):
        assert await database.read(partial(count, table=table)) == 0, table.name


async def test_awss_key_is_made_once(workers: list[Worker]) -> None:
    made = await together(worker.life.ecr_key(REGISTRY) for _ in range(4) for worker in workers)

    assert len({one.id for one in made if isinstance(one, KmsKey)}) == 1
    assert len((await workers[0].life.list(REGISTRY, ALL)).items) == 1
