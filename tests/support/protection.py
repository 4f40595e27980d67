"""Fixtures: repositories under a KMS key on a store of a test's own, as one or two workers see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from entrepot.domain.kms import KeyState, KmsKey
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.kms.cryptography import KmsCryptography
from entrepot.service.kms.ecr import EcrKms
from entrepot.service.kms.key import KmsKeys, begin_change
from entrepot.service.protection import Protection
from entrepot.service.repository import RepositoryService
from entrepot.service.repository_key import RepositoryKeys
from entrepot.service.storage import Storage
from entrepot.store.blob.encrypting import EncryptingBlobStore
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.kms_key import delete_key
from tests.support.bytes import APP, WEB, Worker
from tests.support.kms import make_key
from tests.support.place import Files
from tests.support.service import ACCOUNT, REGISTRY


@dataclass(frozen=True)
class KeyedWorker:
    """A worker whose repositories have KMS keys."""

    worker: Worker
    repositories: RepositoryService
    context: Context
    root: Path

    @property
    def database(self) -> Database:
        return self.worker.database

    async def create(self, name: RepositoryName, key: KmsKey | str, kind: str = "KMS") -> None:
        """Make a repository under a key."""
        named = key if isinstance(key, str) else key.id
        await self.repositories.create(REGISTRY, name, RepositorySettings(encryption_type=kind, kms_key=named), {})

    async def set_state(self, key: KmsKey, state: KeyState) -> None:
        """Switch a key on or off, as KMS does."""

        def change(connection: Connection) -> None:
            begin_change(connection, ACCOUNT)
            statement = update(schema.kms_key).where(schema.kms_key.c.id == key.id).values(state=state.value)
            connection.execute(statement)

        await self.database.write(change)

    async def delete(self, key: KmsKey) -> None:
        """Delete a key, as KMS does when its time has come."""

        def change(connection: Connection) -> None:
            begin_change(connection, ACCOUNT)
            delete_key(connection, key.id)

        await self.database.write(change)

    async def revoke_grants(self, key: KmsKey) -> None:
        """Take all grants of a key away."""

        def change(connection: Connection) -> None:
            begin_change(connection, ACCOUNT)
            connection.execute(schema.kms_grant.delete().where(schema.kms_grant.c.key_id == key.id))

        await self.database.write(change)


def keyed_worker(database: Database, context: Context, keys: KeyService, root: Path) -> KeyedWorker:
    """One more worker over the same database and directory."""
    kms = KmsKeys(database, keys)

    async def find_default(_: object) -> KmsKey:
        return await database.write(lambda connection: make_key(connection, context, keys, REGISTRY))

    own = EcrKms(database, context, KmsCryptography(kms, context), find_default)
    repository_keys = RepositoryKeys(own)
    storage = Storage(EncryptingBlobStore(Files(root).open()), keys, context, repository_keys)
    repositories = RepositoryService(
        database, context, keys, protection=Protection(own), repository_keys=repository_keys
    )
    return KeyedWorker(Worker(database, context, keys, storage), repositories, context, root)


@pytest.fixture(params=["KMS", "KMS_DSSE"])
def encryption_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def kms_key(database: Database, context: Context, key_service: KeyService, identity_service: object) -> KmsKey:
    return await database.write(lambda connection: make_key(connection, context, key_service, REGISTRY))


@pytest.fixture
async def keyed(
    database: Database,
    context: Context,
    key_service: KeyService,
    kms_key: KmsKey,
    encryption_type: str,
    tmp_path: Path,
) -> AsyncIterator[KeyedWorker]:
    """With the repositories APP and WEB under one key."""
    made = keyed_worker(database, context, key_service, tmp_path / "blobs")
    for name in (APP, WEB):
        await made.create(name, kms_key, encryption_type)
    yield made
    await made.worker.storage.close()


@pytest.fixture
async def second_keyed(keyed: KeyedWorker, second_database: Database, context: Context) -> AsyncIterator[KeyedWorker]:
    """Another process over the same database and directory."""
    keys = await KeyService.open(second_database, context, bytes(range(32)))
    made = keyed_worker(second_database, context, keys, keyed.root)
    yield made
    await made.worker.storage.close()
