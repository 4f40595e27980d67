"""Changes of IAM that meet: two workers on one database, many requests at once, and what must hold whoever is first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from entrepot.domain.iam import EntityKind, NewEntity
from entrepot.domain.iam_error import DeleteConflict, EntityAlreadyExists, EntityNotFound, IamError, QuotaExceeded
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.page import PageRequest
from entrepot.service.context import Context
from entrepot.service.iam.access_key import IamAccessKeyService, Owner
from entrepot.service.iam.group import IamGroupService
from entrepot.service.iam.user import IamUserService
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from tests.support.service import ACCOUNT

ALL = PageRequest(1000)
MIA = Owner(ACCOUNT, "mia")


@dataclass
class Worker:
    """The services of one worker."""

    users: IamUserService
    groups: IamGroupService
    keys: IamAccessKeyService

    async def user(self, name: str) -> object:
        return await self.users.create(NewEntity(ACCOUNT, EntityKind.USER, "/", name), {})

    async def group(self, name: str) -> object:
        return await self.groups.create(NewEntity(ACCOUNT, EntityKind.GROUP, "/", name))


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
            IamUserService(place, context, AwsPolicies([])),
            IamGroupService(place, context),
            IamAccessKeyService(place, context, keys),
        )
        for place, keys in ((database, key_service), (second_database, second_keys))
    ]


async def together(calls: Iterable[Awaitable[object]]) -> list[object]:
    """Results and refusals of calls made at once; anything but a refusal of IAM is a failure."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, IamError):
            raise outcome
    return list(outcomes)


def refusals(outcomes: list[object]) -> list[type]:
    return [type(outcome) for outcome in outcomes if isinstance(outcome, IamError)]


async def test_one_of_many_gets_a_name(workers: list[Worker]) -> None:
    spellings = ["mia", "Mia", "MIA", "miA"]
    outcomes = await together(worker.user(name) for name in spellings for worker in workers)

    assert refusals(outcomes) == [EntityAlreadyExists] * 7
    assert len((await workers[0].users.list(ACCOUNT, "/", ALL)).items) == 1


async def test_one_of_many_is_renamed(workers: list[Worker]) -> None:
    names = [f"user{number}" for number in range(6)]
    for name in names:
        await workers[0].user(name)

    outcomes = await together(
        workers[number % 2].users.update(ACCOUNT, name, None, "taken") for number, name in enumerate(names)
    )

    assert refusals(outcomes) == [EntityAlreadyExists] * 5
    found = [user.name for user in (await workers[0].users.list(ACCOUNT, "/", ALL)).items]
    assert len(found) == 6
    assert "taken" in found


async def test_two_of_many_keys_are_made(workers: list[Worker]) -> None:
    await workers[0].user("mia")
    outcomes = await together(worker.keys.create(MIA) for worker in workers * 4)

    assert refusals(outcomes) == [QuotaExceeded] * 6
    assert len((await workers[1].keys.list(MIA, ALL))[1].items) == 2


async def test_a_user_fits_into_ten_of_many_groups(workers: list[Worker]) -> None:
    await workers[0].user("mia")
    groups = [f"g{number}" for number in range(14)]
    for group in groups:
        await workers[0].group(group)

    outcomes = await together(
        workers[number % 2].groups.add_user(ACCOUNT, group, "mia") for number, group in enumerate(groups)
    )

    assert refusals(outcomes) == [QuotaExceeded] * 4
    assert len((await workers[0].groups.list_of_user(ACCOUNT, "mia", ALL)).items) == 10


@pytest.mark.parametrize("attempt", range(3))
async def test_a_user_is_deleted_or_gets_what_hangs_on_him(
    database: Database, workers: list[Worker], attempt: int
) -> None:
    one, other = workers if attempt % 2 else reversed(workers)
    await one.user("mia")
    await one.group("readers")
    deletion, key, member = await together(
        [
            one.users.delete(ACCOUNT, "mia"),
            other.keys.create(MIA),
            other.groups.add_user(ACCOUNT, "readers", "mia"),
        ]
    )

    if deletion is None:
        assert refusals([key, member]) == [EntityNotFound] * 2
        left = select(schema.access_key.c.id).where(schema.access_key.c.unique_id != ACCOUNT)
        assert await database.read(lambda connection: connection.execute(left).all()) == []
    else:
        assert isinstance(deletion, DeleteConflict)
        assert not refusals([member])
        await one.groups.remove_user(ACCOUNT, "readers", "mia")


async def test_a_group_is_deleted_or_gets_a_member(workers: list[Worker]) -> None:
    one, other = workers
    await one.user("mia")
    await one.group("readers")
    deletion, member = await together(
        [one.groups.delete(ACCOUNT, "readers"), other.groups.add_user(ACCOUNT, "readers", "mia")]
    )

    assert sorted(map(type, filter(None, [deletion, member])), key=str) in ([DeleteConflict], [EntityNotFound])


async def test_every_change_voids_what_is_cached(workers: list[Worker], identity_service: IdentityService) -> None:
    worker = workers[0]
    key = ""
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: worker.user("mia"),
        lambda: worker.group("readers"),
        lambda: worker.groups.add_user(ACCOUNT, "readers", "mia"),
        lambda: worker.users.update(ACCOUNT, "mia", "/a/", "mina"),
        lambda: worker.groups.update(ACCOUNT, "readers", "/a/", "pullers"),
        lambda: worker.groups.remove_user(ACCOUNT, "pullers", "mina"),
        lambda: worker.groups.delete(ACCOUNT, "pullers"),
        lambda: worker.keys.set_active(Owner(ACCOUNT, "mina"), key, False),
        lambda: worker.keys.delete(Owner(ACCOUNT, "mina"), key),
        lambda: worker.users.delete(ACCOUNT, "mina"),
    ]
    for number, change in enumerate(changes):
        if number == 7:
            key = (await worker.keys.create(Owner(ACCOUNT, "mina"))).state.id
        (before,) = await identity_service.list_accounts()
        await change()
        (after,) = await identity_service.list_accounts()
        assert after.access_epoch > before.access_epoch, number
