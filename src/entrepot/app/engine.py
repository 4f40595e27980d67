"""Engines and drivers: which database, blob store and master key the settings mean, opened."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from entrepot.app import config_s3
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.domain.key import MasterKeyMissing
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.store.metadata.base import Database

if TYPE_CHECKING:
    from entrepot.store.blob.base import BlobStore
    from entrepot.store.blob.s3.store import S3BlobStore


def load_drivers(settings: Settings, directory: DataDirectory) -> None:
    """Import what `open_database` and `open_blob_store` will need, so that forked processes share it."""
    engine = "sqlite" if directory.sqlite_file is not None else "postgres"
    for name in (
        f"entrepot.store.metadata.{engine}",
        "entrepot.store.blob.encrypting",
        "entrepot.store.blob.s3.store" if settings.blob_url else "entrepot.store.blob.filesystem",
    ):
        importlib.import_module(name)


def open_database(settings: Settings, directory: DataDirectory) -> Database:
    """Connect to the database, which must have been migrated. Engines are imported when they are used."""
    if directory.sqlite_file is not None:
        from entrepot.store.metadata.sqlite import SqliteDatabase  # noqa: PLC0415 - start time

        return SqliteDatabase(directory.sqlite_file)
    from entrepot.store.metadata.postgres import PostgresDatabase  # noqa: PLC0415 - start time

    return PostgresDatabase(settings.database_url or "")


def open_blob_store(settings: Settings, directory: DataDirectory) -> BlobStore:
    """The blob store that new bytes go to."""
    from entrepot.store.blob.encrypting import EncryptingBlobStore  # noqa: PLC0415 - start time
    from entrepot.store.blob.filesystem import FilesystemBlobStore  # noqa: PLC0415 - start time

    if (place := config_s3.place_of(settings)) is not None:
        return EncryptingBlobStore(open_s3_store(settings, directory, place))
    return EncryptingBlobStore(FilesystemBlobStore(directory.blobs, settings.free_space_reserve))


def open_s3_store(settings: Settings, directory: DataDirectory, place: config_s3.S3Place) -> S3BlobStore:
    """The store in S3; asks it for nothing yet."""
    from entrepot.store.blob.s3 import client, credentials, spool, store  # noqa: PLC0415 - start time

    secret = settings.s3_secret_access_key
    found = credentials.find(settings.s3_access_key_id, secret.get_secret_value() if secret else None)
    bucket = client.Bucket(place.endpoint, place.bucket, place.prefix, settings.s3_region, is_virtual=place.is_virtual)
    files = spool.Spool(directory.blobs, settings.free_space_reserve)
    return store.S3BlobStore(client.S3Client(bucket, found), files, config_s3.encryption_headers(settings))


async def open_keys(
    database: Database, context: Context, settings: Settings, directory: DataDirectory, *, may_make_key: bool = False
) -> KeyService:
    """Open every secret with the master key; `may_make_key` makes one where none can have been before.

    Raises:
        MasterKeyMissing, MasterKeyWrong: what the database holds cannot be opened.
        DataDirectoryError: the key's file is damaged or unreadable.
    """
    key = directory.find_master_key(settings)
    is_new = not key and may_make_key and not await KeyService.is_sealed(database)
    if is_new:
        key = directory.make_master_key()
    if not key:
        raise MasterKeyMissing("the database was sealed before, and there is no master key")
    return await KeyService.open(database, context, key, is_new, lambda: directory.all_master_keys(settings))
