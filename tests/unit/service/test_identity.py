"""Accounts and root keys: made once, replaced as a whole, each change seen in the access epoch."""

from __future__ import annotations

import asyncio
import re

import pytest
from sqlalchemy import select

from entrepot.domain.error import InvalidParameter
from entrepot.domain.identity import AccessKeyTaken, AccountAlreadyExists, AccountNotFound, RootKeyMissing
from entrepot.domain.key import SealBroken
from entrepot.domain.principal import root_of
from entrepot.service.context import Context
from entrepot.service.iam.access_key import IamAccessKeyService, Owner
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.store.metadata import access_key, schema
from entrepot.store.metadata.base import Database
from tests.support.service import ACCOUNT

OTHER = "210987654321"


async def epoch(identity: IdentityService, account_id: str = ACCOUNT) -> int:
    return next(account.access_epoch for account in await identity.list_accounts() if account.id == account_id)


async def test_an_account_comes_with_a_root_key(identity_service: IdentityService) -> None:
    account = await identity_service.create_account(OTHER, "second")
    assert (account.id, account.name) == (OTHER, "second")
    assert [account.id for account in await identity_service.list_accounts()] == [ACCOUNT, OTHER]
    key = await identity_service.root_key(OTHER)
    assert re.fullmatch("AKIA[A-Z2-7]{16}", key.id)
    assert re.fullmatch("[A-Za-z0-9+/]{40}", key.secret)
    assert key.principal == root_of(OTHER)
    assert await identity_service.find_access_key(key.id) == key
    assert key.account_epoch == account.access_epoch


async def test_an_account_is_created_once(identity_service: IdentityService) -> None:
    with pytest.raises(AccountAlreadyExists):
        await identity_service.create_account(ACCOUNT, "again")
    with pytest.raises(InvalidParameter):
        await identity_service.create_account("12345", "short")


async def test_many_first_starts_make_one_root_key(
    database: Database, second_database: Database, context: Context, key_service: KeyService
) -> None:
    services = [IdentityService(place, context, key_service) for place in (database, second_database)] * 3
    await asyncio.gather(*(service.ensure_account(OTHER, "second") for service in services))
    keys = await database.read(lambda connection: connection.execute(select(schema.access_key.c.id)).all())
    assert len(keys) == 1


async def test_ensuring_changes_nothing_afterwards(identity_service: IdentityService) -> None:
    key = await identity_service.root_key(ACCOUNT)
    await identity_service.ensure_account(ACCOUNT, "another name")
    assert await identity_service.root_key(ACCOUNT) == key
    assert [account.name for account in await identity_service.list_accounts()] == ["first"]


async def test_rotation_replaces_the_key(identity_service: IdentityService) -> None:
    old = await identity_service.root_key(ACCOUNT)
    new = await identity_service.rotate_root_key(ACCOUNT)
    assert old.id != new.id
    assert old.secret != new.secret
    assert await identity_service.find_access_key(old.id) is None
    assert await identity_service.root_key(ACCOUNT) == new
    assert new.account_epoch == await epoch(identity_service) > old.account_epoch


async def test_settings_replace_the_key_and_repeating_them_changes_nothing(identity_service: IdentityService) -> None:
    old = await identity_service.root_key(ACCOUNT)
    given = await identity_service.set_root_key(ACCOUNT, "test", "test")
    assert (given.id, given.secret) == ("test", "test")
    assert await identity_service.find_access_key(old.id) is None
    assert await identity_service.set_root_key(ACCOUNT, "test", "test") == given
    changed = await identity_service.set_root_key(ACCOUNT, "test", "other")
    assert (changed.id, changed.secret) == ("test", "other")
    assert changed.account_epoch > given.account_epoch > old.account_epoch


async def test_a_key_id_of_another_account_is_refused(identity_service: IdentityService) -> None:
    await identity_service.create_account(OTHER, "second")
    theirs = await identity_service.root_key(OTHER)
    mine = await identity_service.root_key(ACCOUNT)
    with pytest.raises(AccessKeyTaken):
        await identity_service.set_root_key(ACCOUNT, theirs.id, "secret")
    assert await identity_service.root_key(ACCOUNT) == mine
    assert await identity_service.root_key(OTHER) == theirs


@pytest.mark.parametrize(
    ("key_id", "secret"), [("a", "s"), ("with/slash", "s"), ("x" * 129, "s"), ("fine", ""), ("fine", "a b")]
)
async def test_keys_that_cannot_be_used_are_refused(
    identity_service: IdentityService, key_id: str, secret: str
) -> None:
    with pytest.raises(InvalidParameter):
        await identity_service.set_root_key(ACCOUNT, key_id, secret)


async def test_a_missing_account(identity_service: IdentityService) -> None:
    for attempt in (
        identity_service.root_key(OTHER),
        identity_service.rotate_root_key(OTHER),
        identity_service.set_root_key(OTHER, "test", "test"),
    ):
        with pytest.raises(AccountNotFound):
            await attempt
    assert await identity_service.find_access_key("AKIAMISSING") is None


async def test_secrets_are_sealed_and_bound_to_their_row(database: Database, identity_service: IdentityService) -> None:
    key = await identity_service.root_key(ACCOUNT)
    await identity_service.create_account(OTHER, "second")
    other = await identity_service.root_key(OTHER)
    columns = schema.access_key.c
    rows = await database.read(lambda c: {row.id: row.sealed_secret for row in c.execute(select(schema.access_key))})
    assert key.secret.encode() not in rows[key.id]
    assert key.secret not in repr(key)
    moved = schema.access_key.update().where(columns.id == other.id).values(sealed_secret=rows[key.id])
    await database.write(lambda connection: connection.execute(moved))
    with pytest.raises(SealBroken):
        await identity_service.find_access_key(other.id)


async def set_active(database: Database, key_id: str, is_active: bool) -> None:
    assert await database.write(lambda connection: access_key.set_active(connection, ACCOUNT, key_id, is_active))


async def test_an_account_whose_root_keys_are_off_gets_one_at_the_next_start(
    database: Database, identity_service: IdentityService
) -> None:
    old = await identity_service.root_key(ACCOUNT)
    await set_active(database, old.id, False)

    with pytest.raises(RootKeyMissing, match=f"root-key {ACCOUNT} --rotate"):
        await identity_service.root_key(ACCOUNT)
    await identity_service.ensure_account(ACCOUNT, "first")
    new = await identity_service.root_key(ACCOUNT)
    assert new.id != old.id
    await set_active(database, new.id, False)
    assert (await identity_service.rotate_root_key(ACCOUNT)).is_active


async def test_a_second_root_key_outlives_starts_with_the_first_in_settings(
    database: Database, context: Context, key_service: KeyService, identity_service: IdentityService
) -> None:
    given = await identity_service.set_root_key(ACCOUNT, "test", "test")
    second = await IamAccessKeyService(database, context, key_service).create(Owner(ACCOUNT))

    assert (await identity_service.set_root_key(ACCOUNT, "test", "test")).id == given.id
    kept = await identity_service.find_access_key(second.state.id)
    assert kept is not None
    await identity_service.set_root_key(ACCOUNT, "test", "changed")
    assert await identity_service.find_access_key(second.state.id) is None
