"""Rotation of keys beside other processes: they go on, and nothing is ever sealed with a key that is gone."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlalchemy import select, update

from entrepot.domain.key import MasterKeyWrong, SealBroken, SigningKeysRotating
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import SIGNING_PURPOSES, KeyService
from entrepot.store.metadata import schema, sealed
from entrepot.store.metadata.base import Database
from tests.support.database import DatabaseAddress
from tests.support.kms import make_key
from tests.support.service import ACCOUNT, REGISTRY, Clock

OLD, NEW = bytes(range(32)), bytes(reversed(range(32)))
MINUTE = 60 * 1_000_000


class Files:
    """The files of the data directory, as every process sees them."""

    def __init__(self) -> None:
        self.keys = [OLD]

    def __call__(self) -> list[bytes]:
        return self.keys


@pytest.fixture
def files() -> Files:
    return Files()


async def opened(database: Database, context: Context, files: Files) -> KeyService:
    return await KeyService.open(database, context, files.keys[-1], find_keys=files)


@pytest.fixture
async def keys(database: Database, context: Context, files: Files) -> KeyService:
    made = await opened(database, context, files)
    await IdentityService(database, context, made).ensure_account(ACCOUNT, "first")
    await database.write(partial(made.new_domain, name="account:1"))
    await database.write(lambda connection: make_key(connection, context, made, REGISTRY))
    return made


@pytest.fixture
async def other(keys: KeyService, second_database: Database, context: Context, files: Files) -> KeyService:
    """A worker that was started before the rotation."""
    return await opened(second_database, context, files)


async def rotate(keys: KeyService, files: Files) -> None:
    files.keys = [NEW, OLD]
    await keys.rotate_master_key(NEW)
    files.keys = [NEW]


async def test_everything_opens_with_the_new_key_only(
    database: Database, context: Context, keys: KeyService, files: Files
) -> None:
    before = keys.signing_key("page-token")
    await rotate(keys, files)
    values = await database.read(partial(sealed.list_sealed, is_locked=False))
    assert {value.table for value in values} == {
        "master_key_check",
        "signing_key",
        "encryption_domain",
        "access_key",
        "kms_key_version",
    }
    fresh = await KeyService.open(database, context, NEW)
    assert fresh.signing_key("page-token") == before
    for value in values:
        fresh.unseal(value.purpose, value.sealed, value.subject)
    with pytest.raises(MasterKeyWrong):
        await KeyService.open(database, context, OLD)
    assert await fresh.is_sealed_with(NEW)
    assert not await fresh.is_sealed_with(OLD)


async def test_a_worker_that_was_there_before_goes_on(
    database: Database, second_database: Database, context: Context, keys: KeyService, other: KeyService, files: Files
) -> None:
    await rotate(keys, files)
    identity = IdentityService(second_database, context, other)
    assert (await identity.root_key(ACCOUNT)).secret, "unseals what was sealed anew"
    domain = await database.read(lambda c: c.scalar(select(schema.encryption_domain.c.id)))
    assert domain is not None
    assert await other.domain_key(domain) == await keys.domain_key(domain)
    await other.refresh()
    rotated = await identity.rotate_root_key(ACCOUNT)
    made = await second_database.write(partial(other.new_domain, name="account:2"))
    fresh = await KeyService.open(database, context, NEW)
    assert await fresh.domain_key(made), "what it seals now is sealed with the new key"
    assert (await IdentityService(database, context, fresh).root_key(ACCOUNT)) == rotated


async def test_a_value_that_does_not_open_leaves_everything_as_it_was(
    database: Database, context: Context, keys: KeyService
) -> None:
    await database.write(lambda c: c.execute(update(schema.access_key).values(sealed_secret=b"damaged")))
    with pytest.raises(SealBroken):
        await keys.rotate_master_key(NEW)
    await KeyService.open(database, context, OLD)


async def test_nothing_is_lost_when_workers_seal_during_rotations(
    database_address: DatabaseAddress, context: Context, keys: KeyService, other: KeyService, files: Files
) -> None:
    """Domains are made all the time while the key is rotated again and again."""

    async def make(service: KeyService, prefix: str) -> list[int]:
        names = [f"{prefix}:{number}" for number in range(15)]
        return [await service._database.write(partial(service.new_domain, name=name)) for name in names]

    async def rotate_often() -> None:
        for number in range(5):
            key = bytes([number]) * 32
            files.keys = [key, *files.keys]
            await keys.rotate_master_key(key)

    made_here, made_there, _ = await asyncio.gather(make(keys, "a"), make(other, "b"), rotate_often())
    database = database_address.open()
    fresh = await KeyService.open(database, context, bytes([4]) * 32)
    for domain in made_here + made_there:
        assert len(await fresh.domain_key(domain)) == 32
    await database.close()


async def test_new_signing_keys_are_known_before_they_sign(
    keys: KeyService, other: KeyService, clock: Clock, context: Context, database: Database, files: Files
) -> None:
    old = {purpose: keys.signing_key(purpose) for purpose in SIGNING_PURPOSES}
    now = context.now_micros()
    await keys.rotate_signing_keys(now + 15 * MINUTE, now + 60 * MINUTE)
    await keys.refresh()
    assert {purpose: keys.signing_key(purpose) for purpose in SIGNING_PURPOSES} == old
    with pytest.raises(SigningKeysRotating):
        await keys.rotate_signing_keys(now + 30 * MINUTE, now + 60 * MINUTE)
    clock.forward(minutes=10)
    await other.refresh()
    clock.forward(minutes=6)
    new = {purpose: keys.signing_key(purpose) for purpose in SIGNING_PURPOSES}
    for purpose in SIGNING_PURPOSES:
        assert new[purpose] != old[purpose]
        assert other.verification_key(purpose, new[purpose].id) == new[purpose]
        assert other.verification_key(purpose, old[purpose].id) == old[purpose]
    late = await opened(database, context, files)
    assert late.signing_key("page-token") == new["page-token"]
    clock.forward(hours=1)
    await other.refresh()
    assert other.verification_key("page-token", old["page-token"].id) is None
    assert other.signing_key("page-token") == new["page-token"]
    await keys.rotate_signing_keys(context.now_micros(), context.now_micros() + MINUTE)
