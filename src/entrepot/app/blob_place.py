"""Which place the database keeps its blobs in: a directory or a bucket, decided at the first start."""

from __future__ import annotations

import asyncio

from entrepot.app import config_s3, engine
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory, DataDirectoryError
from entrepot.domain.error import StorageUnavailable
from entrepot.service.context import Context
from entrepot.store.metadata import file_store
from entrepot.store.metadata.base import Database


async def claim(database: Database, settings: Settings, directory: DataDirectory, context: Context) -> None:
    """Have the database count on the place of the settings, or find that it does. A bucket must serve every request.

    Raises:
        DataDirectoryError: it counts on another one: that of another host, or one that was left behind.
            Or the bucket is missing, refuses, or cannot be reached.
    """
    place = config_s3.place_of(settings)
    if place is None:
        await _claim_files(database, directory, context)
        return
    try:
        await _claim_bucket(database, settings, directory, context, place)
    except StorageUnavailable as error:
        raise DataDirectoryError(f"the bucket of blob_url cannot be used: {error.detail}") from error


async def is_claimed(database: Database, settings: Settings, directory: DataDirectory) -> bool:
    """Whether the database counts on the place of the settings, or on none yet."""
    counted = await database.read(file_store.find)
    if counted is None:
        return True
    place = config_s3.place_of(settings)
    if place is None:
        return counted == directory.find_store_id()
    return counted == await asyncio.to_thread(engine.open_s3_store(settings, directory, place).find_id)


async def _claim_files(database: Database, directory: DataDirectory, context: Context) -> None:
    found, now = directory.find_store_id(), context.now_micros()
    store_id = found or context.new_uuid()
    if not found:
        directory.make_store_id(store_id)  # before the row: a row without its directory would refuse every start
    counted = await database.write(lambda connection: file_store.claim(connection, store_id, now))
    if counted == store_id:
        return
    if not found:
        directory.remove_store_id()
    raise DataDirectoryError(
        f"the database keeps its blobs in another directory than {directory.blobs} (its file store.id would say"
        f" {counted}): give that directory by data_dir or blob_dir. Local files serve one host only"
    )


async def _claim_bucket(
    database: Database, settings: Settings, directory: DataDirectory, context: Context, place: config_s3.S3Place
) -> None:
    """The id begins with the place: so several first starts at once agree, and one that died half way goes on."""
    store, now = engine.open_s3_store(settings, directory, place), context.now_micros()
    await asyncio.to_thread(store.check)
    found = await asyncio.to_thread(store.find_id)
    store_id = found or f"{place.text} {context.new_uuid()}"
    counted = await database.write(lambda connection: file_store.claim(connection, store_id, now))
    if counted != store_id and (found or not counted.startswith(f"{place.text} ")):
        raise DataDirectoryError(
            f"the database keeps its blobs in another place than {place.text} (whose object store.id would say"
            f" {counted}): give that place by blob_url, data_dir or blob_dir"
        )
    if counted != found:
        await asyncio.to_thread(store.put_id, counted)
