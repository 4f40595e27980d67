"""What collecting garbage costs, few and all of many blobs: `python -m tests.bench.garbage`.

100,000 blobs of 50,000 images in two repositories, each blob a file. The images of the small repository are deleted, a
hundredth of all, and collected; then those of the large one. The clock is moved past the promises in between.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, create_engine, select

from entrepot.domain.digest import Digest
from entrepot.domain.reference import ImageId
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.context import Context
from entrepot.service.garbage import GarbageService
from entrepot.service.identity import IdentityService
from entrepot.service.image import ImageService
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.service.upload import UploadService
from entrepot.store.blob.filesystem import FilesystemBlobStore
from entrepot.store.metadata import schema
from entrepot.store.metadata.migrate import migrate_sqlite
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.bench.many_rows import fill
from tests.support.bytes import open_storage
from tests.support.service import ACCOUNT, REGISTRY

BLOBS_PER_IMAGE = 2
SHARE = 100
"""One of so many images is in the small repository."""


class Place:
    """A database and a store, with services whose clock can be moved."""

    def __init__(self, directory: Path) -> None:
        self.directory, self._ahead = directory, timedelta()
        migrate_sqlite(directory / "metadata.sqlite")
        self.database = SqliteDatabase(directory / "metadata.sqlite")
        self.context = Context(now=lambda: datetime.now(UTC) + self._ahead)
        self.store = FilesystemBlobStore(directory / "store", 0)

    async def fill(self, sizes: dict[str, int]) -> None:
        """Repositories of so many images."""
        keys = await KeyService.open(self.database, self.context, bytes(32), database_is_new=True)
        await IdentityService(self.database, self.context, keys).ensure_account(ACCOUNT, "bench")
        storage = open_storage(self.directory / "store", keys, self.context)
        self.uploads = UploadService(self.database, self.context, storage)
        for name, images in sizes.items():
            service = RepositoryService(self.database, self.context, keys)
            await service.create(REGISTRY, RepositoryName(name), RepositorySettings(), {})
            engine = create_engine(f"sqlite:///{self.directory / 'metadata.sqlite'}")
            with engine.connect() as connection:
                fill(connection, name, images)
            engine.dispose()
        keys_of_blobs = select(schema.blob.c.storage_key)
        for key in await self.database.read(lambda c: c.execute(keys_of_blobs).scalars().all()):
            path = self.store.path(key)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x")

    async def delete_images(self, name: str) -> None:
        """All images of a repository, by digest; their promises end before this returns."""

        def digests(connection: Connection) -> list[str]:
            joined = select(schema.manifest.c.digest).join(
                schema.repository, schema.repository.c.id == schema.manifest.c.repository_id
            )
            return list(connection.execute(joined.where(schema.repository.c.name == name)).scalars())

        images = ImageService(self.database, self.context)
        named = iter(await self.database.read(digests))
        while batch := list(islice(named, 100)):
            await images.batch_delete(REGISTRY, RepositoryName(name), [ImageId(Digest.parse(text)) for text in batch])
        self._ahead += timedelta(hours=3)

    async def collect(self) -> Any:
        """Rows of all garbage."""
        return await GarbageService(self.database, self.context).collect()

    async def sweep(self) -> int:
        """Bytes of all doomed objects."""
        self._ahead += timedelta(hours=1)
        removed = 0
        while swept := (await self.uploads.sweep()).objects:
            removed += swept
        return removed


async def _timed(name: str, work: Callable[[], Awaitable[Any]]) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    done = await work()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    print(f"{name}: {seconds:.3f} s, {cpu_seconds:.3f} s of CPU  {done}")


async def _run(directory: Path, blobs: int) -> None:
    place, images = Place(directory), blobs // BLOBS_PER_IMAGE
    small = images // SHARE
    await place.fill({"small": small, "large": images - small})
    await _timed(f"each of {blobs} links looked at once", place.collect)
    await _timed("nothing to do", place.collect)
    for name, count in (("small", small), ("large", images - small)):
        await place.delete_images(name)
        await _timed(f"rows of {count * BLOBS_PER_IMAGE} blobs", place.collect)
        await _timed(f"bytes of {count * BLOBS_PER_IMAGE} blobs", place.sweep)
    await place.database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blobs", type=int, default=100_000)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as directory:
        asyncio.run(_run(Path(directory), parser.parse_args().blobs))


if __name__ == "__main__":
    main()
