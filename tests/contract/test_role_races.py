"""Roles and their sessions on two connections interleaved: no session outlives its role, no name is taken twice."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection

from entrepot.domain.error import UnrecognizedClient
from entrepot.domain.iam import EntityKind, NewEntity
from entrepot.domain.iam_error import EntityAlreadyExists, QuotaExceeded
from entrepot.domain.iam_limit import ENTITIES, Quota
from entrepot.domain.principal import Caller, root_of, user_of
from entrepot.domain.role_session import SessionRequest
from entrepot.service.context import Context
from entrepot.service.iam.entity import begin_change
from entrepot.service.iam.role import IamRoleService, NewRole
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.session import SessionService
from entrepot.store.aws_policy import package_policies
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import (
    AccessKeyRow,
    delete_access_keys,
    hold_account,
    insert_access_key,
    keep_account,
)
from tests.support.race import asked, held_open
from tests.support.service import ACCOUNT

TRUST = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}'
ARN = f"arn:aws:iam::{ACCOUNT}:role/ci"
USER = Caller(user_of(ACCOUNT, "AIDAMIA", "/", "mia"), "AKIAMIA")
REQUEST = SessionRequest("build")


def new_role(name: str = "ci") -> NewRole:
    return NewRole(NewEntity(ACCOUNT, EntityKind.ROLE, "/", name), TRUST)


@pytest.fixture
def roles(database: Database, context: Context, identity_service: IdentityService) -> IamRoleService:
    """Of an account that exists."""
    return IamRoleService(database, context, package_policies())


@pytest.fixture
async def second_roles(second_database: Database, context: Context) -> IamRoleService:
    return IamRoleService(second_database, context, package_policies())


@pytest.fixture
async def second_sessions(second_database: Database, context: Context, key_service: KeyService) -> SessionService:
    key = await KeyService.open(second_database, context, bytes(range(32)))
    return SessionService(second_database, context, key, package_policies())


async def test_a_session_that_is_made_meanwhile_goes_with_its_role(
    roles: IamRoleService, second_roles: IamRoleService, identity_service: IdentityService, database: Database
) -> None:
    """The deletion waits for whoever has looked at the role, and then sees the session."""
    role = (await roles.create(new_role())).entity

    def issue(connection: Connection) -> None:
        keep_account(connection, ACCOUNT)
        assert insert_access_key(connection, AccessKeyRow("ASIA", ACCOUNT, role.id, b"", True, 0, "{}", b""), 0, 1)

    async with held_open(database, issue):
        deleting = asyncio.ensure_future(second_roles.delete(ACCOUNT, "ci"))
        await asked(deleting)
    await deleting

    assert await identity_service.find_access_key("ASIA") is None


async def test_a_session_waits_for_a_change_of_the_account(
    roles: IamRoleService, second_sessions: SessionService, database: Database
) -> None:
    """Whatever changes an account's IAM has its row, and who makes a session finds what it has left."""
    await roles.create(new_role())

    async with held_open(database, lambda connection: begin_change(connection, ACCOUNT)):
        assuming = asyncio.ensure_future(second_sessions.assume_role(USER, ARN, REQUEST))
        await asked(assuming)

    assert (await assuming).principal.unique_id.startswith("AROA")


async def test_a_session_of_root_waits_for_a_rotation(
    identity_service: IdentityService, second_sessions: SessionService, database: Database
) -> None:
    root = Caller(root_of(ACCOUNT), (await identity_service.root_key(ACCOUNT)).id)

    def rotate(connection: Connection) -> None:
        hold_account(connection, ACCOUNT)
        delete_access_keys(connection, ACCOUNT, ACCOUNT)

    async with held_open(database, rotate):
        asking = asyncio.ensure_future(second_sessions.session_token(root))
        await asked(asking)

    with pytest.raises(UnrecognizedClient):
        await asking


async def test_of_two_roles_of_a_name_one_is_made(roles: IamRoleService, second_roles: IamRoleService) -> None:
    made = await asyncio.gather(
        *(service.create(new_role(name)) for service in (roles, second_roles) for name in ("ci", "CI", "Ci")),
        return_exceptions=True,
    )

    refused = [one for one in made if isinstance(one, EntityAlreadyExists)]
    assert len(refused) == 5


async def test_the_last_place_is_taken_once(
    roles: IamRoleService, second_roles: IamRoleService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENTITIES, EntityKind.ROLE, Quota("RolesPerAccount", 3))
    await asyncio.gather(*(roles.create(new_role(name)) for name in ("a", "b")))

    made = await asyncio.gather(
        *(service.create(new_role(name)) for service, name in zip((roles, second_roles), ("c", "d"), strict=True)),
        return_exceptions=True,
    )

    assert len([one for one in made if isinstance(one, QuotaExceeded)]) == 1
