"""Fixtures: blobs and uploads on a store of a test's own, as one or two workers see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from sqlalchemy import select

from entrepot.domain.digest import Digest
from entrepot.domain.principal import root_of
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.domain.upload import UploadKind
from entrepot.service.account_setting import AccountSettingService
from entrepot.service.blob import BlobService
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.service.storage import Storage
from entrepot.service.upload import UploadService
from entrepot.store.blob.encrypting import EncryptingBlobStore
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from tests.support.place import Files, Objects, Place
from tests.support.service import ACCOUNT, REGISTRY

APP = RepositoryName("team/app")
WEB = RepositoryName("team/web")


class Worker:
    """The bytes of one process: services over a database and a store that others share."""

    def __init__(self, database: Database, context: Context, keys: KeyService, storage: Storage) -> None:
        self.database, self.context, self.storage = database, context, storage
        self.blobs = BlobService(database, context, keys, storage, AccountSettingService(database, context))
        self.uploads = UploadService(database, context, storage)

    async def start(self, kind: UploadKind = UploadKind.OCI, name: RepositoryName = APP) -> str:
        return (await self.uploads.start(REGISTRY, name, root_of(ACCOUNT), kind)).id

    async def append(self, upload_id: str, *chunks: bytes, name: RepositoryName = APP) -> int:
        upload = await self.uploads.find(REGISTRY, name, ACCOUNT, upload_id)
        return (await self.uploads.append(upload, body(chunks))).offset

    async def push(self, data: bytes, name: RepositoryName = APP) -> None:
        """POST, PATCH, PUT, as docker does."""
        upload_id = await self.start(name=name)
        await self.append(upload_id, data, name=name)
        await self.uploads.complete(REGISTRY, name, ACCOUNT, upload_id, digest_of(data))

    async def pull(self, data: bytes, start: int = 0, end: int | None = None, name: RepositoryName = APP) -> bytes:
        """The bytes under the digest of `data`."""
        view = await self.blobs.view(ACCOUNT, REGISTRY, name, digest_of(data))
        assert view.blob is not None
        return b"".join([bytes(piece) async for piece in self.blobs.open(view.blob, start, end)])


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest:
    return Digest.of(data, algorithm)


async def body(chunks: Iterable[bytes], error: Exception | None = None) -> AsyncIterator[bytes]:
    """A request body, breaking off with `error` if one is given."""
    for chunk in chunks:
        yield chunk
    if error is not None:
        raise error


def files_below(root: Path) -> list[Path]:
    """Every file of a store, staged or published."""
    return [path for path in root.rglob("*") if path.is_file()]


async def keys_of(database: Database) -> list[str]:
    """The storage keys of all blobs."""
    statement = select(schema.blob.c.storage_key)
    return await database.read(lambda connection: list(connection.execute(statement).scalars()))


@pytest.fixture(params=["files", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where the blobs are: every kind of store in turn."""
    if request.param == "files":
        return Files(tmp_path / "blobs")
    return Objects(request.getfixturevalue("s3"), tmp_path)


@pytest.fixture
async def repositories(repository_service: RepositoryService) -> RepositoryService:
    """With the repositories APP and WEB."""
    for name in (APP, WEB):
        await repository_service.create(REGISTRY, name, RepositorySettings(), {})
    return repository_service


def open_storage(root: Path, keys: KeyService, context: Context, *, is_encrypting: bool = True) -> Storage:
    """Storage of local files as the application wires it, without a reserve."""
    return storage_at(Files(root), keys, context, is_encrypting=is_encrypting)


def storage_at(place: Place, keys: KeyService, context: Context, *, is_encrypting: bool = True) -> Storage:
    """Storage of one more worker."""
    return Storage(EncryptingBlobStore(place.open()), keys, context, is_encrypting=is_encrypting)


@pytest.fixture(params=["frames", "plain"])
def is_encrypting(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "frames")


@pytest.fixture
async def worker(
    database: Database,
    context: Context,
    key_service: KeyService,
    repositories: RepositoryService,
    place: Place,
    is_encrypting: bool,
) -> AsyncIterator[Worker]:
    storage = storage_at(place, key_service, context, is_encrypting=is_encrypting)
    yield Worker(database, context, key_service, storage)
    await storage.close()


@pytest.fixture
async def second_worker(
    worker: Worker, second_database: Database, context: Context, place: Place, is_encrypting: bool
) -> AsyncIterator[Worker]:
    """Another process over the same database and store."""
    keys = await KeyService.open(second_database, context, bytes(range(32)))
    storage = storage_at(place, keys, context, is_encrypting=is_encrypting)
    yield Worker(second_database, context, keys, storage)
    await storage.close()


@pytest.fixture
def workers(worker: Worker, second_worker: Worker) -> tuple[Worker, Worker]:
    return worker, second_worker
