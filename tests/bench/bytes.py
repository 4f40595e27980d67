"""Measure the byte path alone: appends, publication and reads, without HTTP.

    python -m tests.bench.bytes [--mib 512] [--chunk-kib 128] [--plain] [--profile]

Says MiB/s of hashing, encrypting and writing beside the event loop (`append`), the seconds of fsync, link and commit
(`publish`), MiB/s of reading from the page cache (`read`), and small layers pushed a second.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import create_engine

from entrepot.domain.limit import MIB
from entrepot.domain.repository import RepositorySettings
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import schema
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.support.bytes import APP, Worker, digest_of, open_storage
from tests.support.service import ACCOUNT, REGISTRY

SMALL_LAYERS = 200


async def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="entrepot-bytes-", dir=options.directory) as directory:
        worker = await _worker(Path(directory), is_encrypting=not options.plain)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        await _large(worker, options.mib, options.chunk_kib * 1024)
        profile.disable()
        await _small(worker)
        await worker.storage.close()
        await worker.database.close()
        if options.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(15)


async def _worker(directory: Path, *, is_encrypting: bool) -> Worker:
    engine = create_engine(f"sqlite:///{directory / 'entrepot.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    database, context = SqliteDatabase(directory / "entrepot.db"), Context()
    keys = await KeyService.open(database, context, bytes(32), database_is_new=True)
    await IdentityService(database, context, keys).ensure_account(ACCOUNT, "bench")
    await RepositoryService(database, context, keys).create(REGISTRY, APP, RepositorySettings(), {})
    storage = open_storage(directory / "blobs", keys, context, is_encrypting=is_encrypting)
    return Worker(database, context, keys, storage)


async def _large(worker: Worker, mib: int, chunk_bytes: int) -> None:
    data = os.urandom(mib * MIB)
    digest = digest_of(data)
    upload_id = await worker.start()
    upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
    start, cpu = time.perf_counter(), time.process_time()
    await worker.uploads.append(upload, _chunks(data, chunk_bytes))
    appended, cpu = time.perf_counter(), time.process_time() - cpu
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest)
    published = time.perf_counter()
    print(f"append   {mib / (appended - start):8.0f} MiB/s, {cpu / mib * 1024:.2f} CPU s per GiB")
    print(f"publish  {published - appended:8.3f} s")
    view = await worker.blobs.view(ACCOUNT, REGISTRY, APP, digest)
    assert view.blob
    for _ in range(3):
        start, cpu, size = time.perf_counter(), time.process_time(), 0
        async for piece in worker.blobs.open(view.blob):
            size += len(piece)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(f"read     {mib / took:8.0f} MiB/s, {cpu / mib * 1024:.2f} CPU s per GiB")


async def _small(worker: Worker) -> None:
    layers = [os.urandom(4096) for _ in range(SMALL_LAYERS)]
    for name, work in (("pushes", worker.push), ("pulls", worker.pull)):
        start, cpu = time.perf_counter(), time.process_time()
        for layer in layers:
            await work(layer)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        each_ms = cpu / SMALL_LAYERS * 1000
        print(f"{name:8} {SMALL_LAYERS / took:8.0f} of 4 KiB a second, one after the other, {each_ms:.2f} CPU ms each")


async def _chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(data), size):
        yield view[start : start + size]  # type: ignore[misc]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=512, help="size of the large layer")
    parser.add_argument("--chunk-kib", type=int, default=128, help="pieces in which its bytes come")
    parser.add_argument("--plain", action="store_true", help="store without encryption")
    parser.add_argument("--profile", action="store_true", help="profile the event loop's thread")
    parser.add_argument("--directory", help="where to keep the data (default: the temporary directory)")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
