"""Grants on two connections interleaved: made once, never on a key that is off, and gone for good when taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection

from entrepot.domain.kms import KeyState, KmsKey
from entrepot.domain.kms_error import GrantNotFound, KeyDisabled, KeyNotFound, KmsQuotaExceeded
from entrepot.domain.kms_grant import KmsGrant
from entrepot.domain.page import PageRequest
from entrepot.domain.policy.principal import Grant
from entrepot.domain.principal import Caller, user_of
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.kms import grant as service
from entrepot.service.kms.grant import KmsGrantService, NewGrant, find_granted
from entrepot.service.kms.key import begin_change
from entrepot.store.metadata import kms_grant, kms_key
from entrepot.store.metadata.base import Database
from tests.support.kms import make_key
from tests.support.race import asked, held_open
from tests.support.service import ACCOUNT, REGISTRY

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
WANTED = NewGrant(ROOT, ("Encrypt",), ROOT, name="build")
ANA = Caller(user_of(ACCOUNT, "AIDAANA", "/", "ana"), "AKIAANA")


@pytest.fixture
def grants(database: Database, context: Context) -> KmsGrantService:
    return KmsGrantService(database, context)


@pytest.fixture
def second(second_database: Database, context: Context) -> KmsGrantService:
    return KmsGrantService(second_database, context)


@pytest.fixture
async def key(
    database: Database, context: Context, key_service: KeyService, identity_service: IdentityService
) -> KmsKey:
    return await database.write(lambda connection: make_key(connection, context, key_service, REGISTRY))


async def listed(grants: KmsGrantService, key: KmsKey) -> list[KmsGrant]:
    return list((await grants.list_of_key(key, PageRequest(100))).items)


async def meanwhile(
    database: Database, change: Callable[[Connection], object], late: Callable[[], Awaitable[object]]
) -> asyncio.Future[object]:
    """Begin `late` while a change of the account's keys is not committed, and commit that."""

    def begin(connection: Connection) -> None:
        begin_change(connection, ACCOUNT)
        change(connection)

    async with held_open(database, begin):
        asking = asyncio.ensure_future(late())
        await asked(asking)
    return asking


async def test_the_same_made_twice_at_once_is_one(
    grants: KmsGrantService, second: KmsGrantService, database: Database, key: KmsKey, context: Context
) -> None:
    made = KmsGrant("a" * 64, key.arn, "token", "build", ROOT, None, ROOT, ("Encrypt",), context.now())
    asking = await meanwhile(
        database,
        lambda connection: kms_grant.insert_grant(connection, key.id, made, {}),
        lambda: second.create(key, WANTED),
    )
    assert await asking == made
    assert await listed(grants, key) == [made]


async def test_the_last_place_is_given_once(
    grants: KmsGrantService, second: KmsGrantService, key: KmsKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GRANTS_MAX", 1)
    nameless = NewGrant(ROOT, ("Encrypt",), ROOT)
    made = await asyncio.gather(grants.create(key, nameless), second.create(key, nameless), return_exceptions=True)

    assert {type(one) for one in made} == {KmsGrant, KmsQuotaExceeded}
    assert len(await listed(grants, key)) == 1


async def test_a_key_that_is_switched_off_meanwhile_takes_none(
    grants: KmsGrantService, second: KmsGrantService, database: Database, key: KmsKey
) -> None:
    """`key` says that it is enabled: what counts is what the row says within the transaction."""
    asking = await meanwhile(
        database,
        lambda connection: kms_key.update_key(connection, key.id, state=KeyState.DISABLED.value),
        lambda: second.create(key, WANTED),
    )
    with pytest.raises(KeyDisabled):
        await asking
    assert await listed(grants, key) == []


async def test_a_key_that_is_deleted_meanwhile_takes_none_and_its_grants_are_gone(
    grants: KmsGrantService, second: KmsGrantService, database: Database, key: KmsKey
) -> None:
    made = await grants.create(key, WANTED)
    asking = await meanwhile(
        database, lambda connection: kms_key.delete_key(connection, key.id), lambda: second.create(key, WANTED)
    )
    with pytest.raises(KeyNotFound):
        await asking
    with pytest.raises(GrantNotFound):
        await grants.find(key, made.id)


async def test_what_is_taken_away_twice_at_once_is_missed_once(
    grants: KmsGrantService, second: KmsGrantService, key: KmsKey
) -> None:
    made = await grants.create(key, WANTED)
    done = await asyncio.gather(grants.revoke(key, made.id), second.revoke(key, made.id), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["GrantNotFound", "NoneType"]


async def test_given_back_when_it_was_taken_away_meanwhile_nobody_is_told_off(
    grants: KmsGrantService, second: KmsGrantService, database: Database, key: KmsKey
) -> None:
    made = await grants.create(key, WANTED)
    row = await grants.find_by_token(made.token)
    asking = await meanwhile(
        database, lambda connection: kms_grant.delete_grant(connection, made.id), lambda: second.retire(row)
    )
    assert await asking is None
    assert await listed(grants, key) == []


async def test_another_connection_sees_it_made_and_taken_away(
    grants: KmsGrantService, second_database: Database, key: KmsKey
) -> None:
    """Each request asks the database whom grants are for, so a worker never goes by what another has changed."""

    async def said() -> list[Grant]:
        found = await second_database.read(lambda connection: find_granted(connection, ANA, key.id))
        return [meets for meets, _ in found]

    assert await said() == []
    made = await grants.create(key, WANTED)
    assert await said() == [Grant.ACCOUNT]
    await grants.revoke(key, made.id)
    assert await said() == []
