"""Robot tokens under races: one valid token a name, revoked once and for every worker, on each engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from entrepot.domain.error import InvalidParameter, LimitExceeded, TokenExpired, TokenInvalid
from entrepot.domain.iam import EntityKind, NewEntity
from entrepot.domain.iam_error import ValidationFailed
from entrepot.domain.page import PageRequest
from entrepot.domain.registry import Registry
from entrepot.domain.robot_error import RobotRoleUnusable, RobotTokenAlreadyExists, RobotTokenNotFound
from entrepot.domain.robot_token import MadeRobotToken, RobotStatus
from entrepot.service.context import Context
from entrepot.service.iam.role import IamRoleService, NewRole
from entrepot.service.identity import IdentityService
from entrepot.service.robot_login import RobotLogins
from entrepot.service.robot_token import RobotTokenService
from entrepot.store.aws_policy import package_policies
from entrepot.store.metadata.access import find_epoch
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch
from tests.support.race import asked, held_open
from tests.support.robot import ROLE, role_arn, trust, wanted
from tests.support.service import ACCOUNT, REGISTRY, Clock


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker has."""

    tokens: RobotTokenService
    logins: RobotLogins
    database: Database

    async def use(self, made: MadeRobotToken) -> str:
        """Log in and confirm, as a request does; who it was."""
        login = await self.logins.log_in("AWS", made.password, "192.0.2.1")
        epoch = await self.database.read(lambda connection: find_epoch(connection, ACCOUNT))
        return (await self.logins.confirm(login, login.caller, epoch)).principal.arn


def worker(database: Database, context: Context, tokens_max: int = 1_000) -> Worker:
    return Worker(RobotTokenService(database, context, tokens_max), RobotLogins(database, context), database)


@pytest.fixture
async def roles(database: Database, context: Context, identity_service: IdentityService) -> IamRoleService:
    """With the role that the tokens are of."""
    service = IamRoleService(database, context, package_policies())
    await service.create(NewRole(NewEntity(ACCOUNT, EntityKind.ROLE, "/", ROLE), trust()))
    return service


@pytest.fixture
def first(database: Database, context: Context, roles: IamRoleService) -> Worker:
    return worker(database, context)


@pytest.fixture
def second(second_database: Database, context: Context, roles: IamRoleService) -> Worker:
    return worker(second_database, context)


async def test_a_name_is_given_once(first: Worker, second: Worker) -> None:
    made = await asyncio.gather(
        *(one.tokens.create(wanted()) for one in (first, second, first, second)), return_exceptions=True
    )
    refused = [one for one in made if isinstance(one, RobotTokenAlreadyExists)]
    (token,) = [one for one in made if isinstance(one, MadeRobotToken)]
    assert len(refused) == 3
    assert await second.use(token) == await first.use(token)
    assert [one.id for one in (await first.tokens.list(REGISTRY, PageRequest(10))).items] == [token.token.id]


async def test_it_is_revoked_once(first: Worker, second: Worker) -> None:
    made = await first.tokens.create(wanted())
    ends = await asyncio.gather(*(one.tokens.revoke(REGISTRY, "ci") for one in (first, second)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["RobotToken", "RobotTokenNotFound"]
    for one in (first, second):
        with pytest.raises(TokenExpired):
            await one.use(made)


async def test_revoked_while_in_use_it_is_refused_by_every_worker(first: Worker, second: Worker) -> None:
    made = await first.tokens.create(wanted())
    revoked = asyncio.Event()

    async def use_until_refused(one: Worker) -> None:
        while True:
            was_over = revoked.is_set()
            try:
                await one.use(made)
            except TokenExpired:
                return
            assert not was_over  # it was over before this request began

    using = [asyncio.ensure_future(use_until_refused(one)) for one in (first, second, first, second)]
    await asyncio.gather(*(one.use(made) for one in (first, second)))
    await second.tokens.revoke(REGISTRY, "ci")
    revoked.set()
    await asyncio.wait_for(asyncio.gather(*using), 20)
    again = await first.tokens.create(wanted())
    await second.use(again)
    with pytest.raises(TokenExpired):
        await second.use(made)


async def test_a_token_waits_for_a_change_of_the_account(first: Worker, second: Worker, roles: IamRoleService) -> None:
    """Its role is looked at when nobody is changing it: deleted meanwhile, it makes no token."""

    def change(connection: Connection) -> None:
        raise_access_epoch(connection, ACCOUNT)

    async with held_open(first.database, change):
        making = asyncio.ensure_future(second.tokens.create(wanted()))
        await asked(making)
    made = await making
    await roles.delete(ACCOUNT, ROLE)
    with pytest.raises(TokenExpired):
        await second.use(made)
    assert (await first.tokens.describe(REGISTRY, ["ci"]))[0].status is RobotStatus.ROLE_DELETED
    with pytest.raises(RobotRoleUnusable):
        await first.tokens.create(wanted("other"))


async def test_the_last_token_is_given_once(
    database: Database, second_database: Database, context: Context, roles: IamRoleService
) -> None:
    workers = worker(database, context, 1), worker(second_database, context, 1)
    made = await asyncio.gather(
        *(one.tokens.create(wanted(f"ci{number}")) for number, one in enumerate(workers * 2)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in made) == ["LimitExceeded"] * 3 + ["MadeRobotToken"]
    (token,) = [one.token for one in made if isinstance(one, MadeRobotToken)]
    await workers[0].tokens.revoke(REGISTRY, token.wanted.name)
    await workers[1].tokens.create(wanted("next"))
    with pytest.raises(LimitExceeded):
        await workers[0].tokens.create(wanted("one more"))


async def test_lists_and_names(first: Worker, clock: Clock) -> None:
    elsewhere = Registry(ACCOUNT, "eu-west-1")
    for name in ("b", "a", "C"):
        await first.tokens.create(wanted(name))
    await first.tokens.create(replace(wanted("b"), registry=elsewhere))
    page = await first.tokens.list(REGISTRY, PageRequest(2))
    rest = await first.tokens.list(REGISTRY, PageRequest(2, page.next_key))
    assert [token.wanted.name for token in (*page.items, *rest.items)] == ["C", "a", "b"]
    assert rest.next_key is None
    assert [token.wanted.name for token in await first.tokens.describe(REGISTRY, ["b", "a"])] == ["a", "b"]
    with pytest.raises(RobotTokenNotFound):
        await first.tokens.describe(REGISTRY, ["a", "none"])
    with pytest.raises(RobotTokenNotFound):
        await first.tokens.revoke(elsewhere, "a")


async def test_what_cannot_be_made(first: Worker, roles: IamRoleService, clock: Clock) -> None:
    past, far = clock.now, clock.now.replace(year=clock.now.year + 11)
    for end in (past, far):
        with pytest.raises(InvalidParameter):
            await first.tokens.create(wanted(expires_at=end))
    for role in (role_arn("none"), role_arn(f"path/{ROLE}"), role_arn(ROLE, "210987654321"), role_arn(ROLE.upper())):
        with pytest.raises(RobotRoleUnusable):
            await first.tokens.create(wanted(role=role))
    with pytest.raises(ValidationFailed):
        await first.tokens.create(wanted(role=f"arn:aws:iam::{ACCOUNT}:user/{ROLE}"))
    for principal in ({"AWS": ACCOUNT}, {"AWS": "*"}, "*", {"Service": "*"}, {"Service": "ecs-tasks.amazonaws.com"}):
        await roles.update_trust(ACCOUNT, ROLE, trust(Principal=principal))
        with pytest.raises(RobotRoleUnusable):
            await first.tokens.create(wanted())
    assert (await first.tokens.list(REGISTRY, PageRequest(10))).items == []


async def test_what_has_expired_makes_room_and_goes(first: Worker, clock: Clock) -> None:
    few = RobotTokenService(first.database, Context(now=lambda: clock.now), 1)
    await few.create(wanted("short", expires_at=clock.now + timedelta(minutes=1)))
    with pytest.raises(LimitExceeded):
        await few.create(wanted("next"))
    clock.forward(minutes=2)
    await few.create(wanted("next"))
    assert [one.status.value for one in (await few.list(REGISTRY, PageRequest(9))).items] == ["ACTIVE", "EXPIRED"]
    clock.forward(days=29)
    assert await few.purge_ended() == 0
    clock.forward(days=2)
    assert await few.purge_ended() == 1
    assert [one.wanted.name for one in (await few.list(REGISTRY, PageRequest(9))).items] == ["next"]


async def test_a_password_that_was_never_given(first: Worker) -> None:
    made = await first.tokens.create(wanted())
    await first.tokens.revoke(REGISTRY, "ci")
    for password in (made.password[:-1], "entr_" + "A" * 71, ""):
        with pytest.raises(TokenInvalid):
            await first.logins.log_in("AWS", password, "192.0.2.1")
