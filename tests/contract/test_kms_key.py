"""Keys of KMS on both engines: found by all their names, their material open, and void with their account's epoch."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Connection, update

from entrepot.domain.key import SealBroken
from entrepot.domain.kms import KeyState, KmsKey, VersionOrigin
from entrepot.domain.kms_error import AliasNotFound, KeyDisabled, KeyNotFound, KeyStateInvalid
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.kms.key import KmsKeys, add_version, begin_change, check_usable
from entrepot.store.metadata import kms_alias, kms_key, kms_tag, schema
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.kms_version import find_sealed
from tests.support.kms import make_key
from tests.support.service import ACCOUNT, REGISTRY

OTHER = Registry("210987654321", "us-east-1")
NOWHERE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def keys(database: Database, key_service: KeyService) -> KmsKeys:
    return KmsKeys(database, key_service)


@pytest.fixture
async def key(
    database: Database, context: Context, key_service: KeyService, identity_service: IdentityService
) -> KmsKey:
    """With the alias `alias/build`."""

    def make(connection: Connection) -> KmsKey:
        made = make_key(connection, context, key_service, REGISTRY)
        assert kms_alias.insert_alias(connection, REGISTRY, "alias/build", made.id, context.now_micros())
        return made

    return await database.write(make)


async def test_a_key_is_found_by_each_of_its_names(keys: KmsKeys, key: KmsKey) -> None:
    for name in (key.id, key.arn, "alias/build", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/build"):
        found = await keys.find(REGISTRY, name)
        assert (found.id, found.place, found.state, found.version) == (key.id, REGISTRY, KeyState.ENABLED, 1)
        assert len(found.material_id) == 64
    assert (await keys.find(OTHER, key.arn)).id == key.id, "another account says whose it is"


async def test_what_is_not_there_is_told_by_its_arn(keys: KmsKeys, key: KmsKey) -> None:
    for own, name, error in (
        (REGISTRY, NOWHERE, KeyNotFound),
        (OTHER, key.id, KeyNotFound),
        (Registry(ACCOUNT, "eu-west-1"), key.id, KeyNotFound),
        (REGISTRY, "alias/other", AliasNotFound),
        (OTHER, "alias/build", AliasNotFound),
    ):
        with pytest.raises(error) as refused:
            await keys.find(own, name)
        assert str(refused.value).endswith(f":{name}" if "/" in name else f":key/{name}")


async def test_every_version_opens_and_no_other(
    keys: KmsKeys, key: KmsKey, database: Database, context: Context, key_service: KeyService
) -> None:
    first = await keys.current_material(await keys.find(REGISTRY, key.id))

    def rotate(connection: Connection) -> None:
        begin_change(connection, ACCOUNT)
        add_version(connection, context, key_service, key.id, 2, VersionOrigin.ON_DEMAND)
        kms_key.update_key(connection, key.id, version=2)

    await database.write(rotate)
    found = await keys.find(REGISTRY, key.id)
    second = await keys.current_material(found)
    assert (first.version, second.version) == (1, 2)
    assert first.secret != second.secret
    assert await keys.material(found, 1) == first
    assert await keys.material(found, 3) is None


async def test_material_is_kept_no_longer_than_the_epoch(keys: KmsKeys, key: KmsKey, database: Database) -> None:
    before = await keys.find(REGISTRY, key.id)
    await keys.current_material(before)
    await database.write(lambda c: c.execute(update(schema.kms_key_version).values(sealed=b"damaged")))
    await keys.current_material(await keys.find(REGISTRY, key.id))  # kept: nothing says that it changed
    await database.write(partial(begin_change, account_id=ACCOUNT))
    with pytest.raises(SealBroken):
        await keys.current_material(await keys.find(REGISTRY, key.id))


async def test_material_moved_to_another_key_does_not_open(
    keys: KmsKeys, key: KmsKey, database: Database, context: Context, key_service: KeyService
) -> None:
    other = await database.write(lambda c: make_key(c, context, key_service, REGISTRY))
    taken = await database.read(lambda c: find_sealed(c, other.id, 1))
    assert taken
    await database.write(lambda c: c.execute(update(schema.kms_key_version).values(sealed=taken[0])))
    with pytest.raises(SealBroken):
        await keys.current_material(await keys.find(REGISTRY, key.id))


@pytest.mark.parametrize(("state", "error"), [("Disabled", KeyDisabled), ("PendingDeletion", KeyStateInvalid)])
async def test_only_enabled_keys_are_usable(
    keys: KmsKeys, key: KmsKey, database: Database, state: str, error: type[Exception]
) -> None:
    check_usable(await keys.find(REGISTRY, key.id))
    await database.write(lambda c: kms_key.update_key(c, key.id, state=state))
    with pytest.raises(error):
        check_usable(await keys.find(REGISTRY, key.id))


async def test_a_deleted_key_leaves_nothing(keys: KmsKeys, key: KmsKey, database: Database) -> None:
    await database.write(lambda c: kms_tag.put_tags(c, key.id, {"team": "build"}))
    await database.write(lambda c: kms_key.delete_key(c, key.id))
    with pytest.raises(AliasNotFound):
        await keys.find(REGISTRY, "alias/build")
    with pytest.raises(KeyNotFound):
        await keys.find(REGISTRY, key.id)
    assert await database.read(lambda c: find_sealed(c, key.id, 1)) is None
