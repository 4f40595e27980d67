"""A program that pushes a layer and dies at a step, again and again, each time in a process of its own.

Run as `python -m tests.support.crash DIRECTORY FORMAT each SHARD`, `… random SEED`, or `… at-once 0` for a layer that
comes whole with the request that completes it. Every change that the blob
store makes to the disk and both sides of every commit are steps; a step that writes dies after half of the bytes.
With `each` the push dies once at every step in turn (every SHARDS-th), and is then given up or finished; with
`random` it dies many times. Afterwards nothing acknowledged may be lost and nothing may be left over. Prints how many
pushes died.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from entrepot.domain.error import UploadNotFound
from entrepot.domain.repository import RepositorySettings
from entrepot.service import storage as storage_module
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import schema
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.support.bytes import APP, Worker, body, digest_of, keys_of, storage_at
from tests.support.place import Files, Place
from tests.support.service import ACCOUNT, REGISTRY

MASTER = bytes(32)
FRAME = 64
DATA = random.Random(1).randbytes(10 * FRAME + 7)
"""Small enough to be published at once, too."""
CUTS = (0, 5, 3 * FRAME + 9, 3 * FRAME + 20, 8 * FRAME, len(DATA))
CHANGES = ("open", "mkdir", "fsync", "link", "unlink", "rmdir", "ftruncate", "copy_file_range")
DIED = 42
CRASHES_MAX = 25
SHARDS = 4


class Fuse:
    """Ends the process at a step; None never does."""

    def __init__(self, at: int | None) -> None:
        self._left = at

    def light(self, at: int) -> None:
        """Begin to count."""
        self._left = at

    def step(self, last_act: Callable[[], object] = lambda: None) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            last_act()
            os._exit(DIED)

    def install(self) -> None:
        """Make steps of the operating system's calls that change a disk."""
        for name in CHANGES:
            setattr(os, name, self._guarded(getattr(os, name)))
        write = os.write

        def half_written(fd: int, data: memoryview) -> int:
            self.step(lambda: write(fd, data[: len(data) // 2]))
            return write(fd, data)

        os.write = half_written  # type: ignore[assignment]

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **named: Any) -> Any:
            self.step()
            return call(*arguments, **named)

        return guarded


class FusedDatabase(SqliteDatabase):
    """Dies before a transaction begins, or after its commit and before anybody hears of it."""

    fuse = Fuse(None)

    async def write(self, change: Any, **durability: bool) -> Any:
        self.fuse.step()
        result = await super().write(change, **durability)
        self.fuse.step()
        return result


class Client:
    """What the pushing side remembers: only what was answered."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "client.json"
        self.upload_id: str | None = None
        self.offset = 0
        self.is_done = False
        if self._path.exists():
            self.__dict__.update(json.loads(self._path.read_text()))

    def remember(self, **known: Any) -> None:
        self.__dict__.update(known)
        text = json.dumps({name: value for name, value in self.__dict__.items() if name != "_path"})
        self._path.write_text(text)


def place_of(directory: Path) -> Place:
    """Where the blobs of a push are; other programs put theirs elsewhere."""
    return Files(directory / "blobs")


async def prepare(directory: Path, _: bool) -> None:
    """A database with one repository."""
    engine = create_engine(f"sqlite:///{directory / 'entrepot.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    database = SqliteDatabase(directory / "entrepot.db")
    keys = await KeyService.open(database, Context(), MASTER, database_is_new=True)
    await IdentityService(database, Context(), keys).ensure_account(ACCOUNT, "first")
    await RepositoryService(database, Context(), keys).create(REGISTRY, APP, RepositorySettings(), {})
    await database.close()


async def push(directory: Path, is_encrypting: bool) -> None:
    """Begin or go on with the push, to its end: some PATCHes, then the PUT."""

    async def bring(worker: Worker, client: Client, upload_id: str) -> None:
        upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
        assert upload.offset >= client.offset, "acknowledged bytes were lost"
        for cut in (cut for cut in CUTS if cut > upload.offset):
            upload = await worker.uploads.find(REGISTRY, APP, ACCOUNT, upload_id)
            await worker.append(upload_id, DATA[upload.offset : cut])
            client.remember(offset=cut)
        await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(DATA))

    await _push(directory, is_encrypting, bring)


async def push_at_once(directory: Path, is_encrypting: bool) -> None:
    """The same without a PATCH: all bytes come with the PUT."""

    async def bring(worker: Worker, _: Client, upload_id: str) -> None:
        digest, size = digest_of(DATA), len(DATA)
        await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest, body([DATA]), None, size)

    await _push(directory, is_encrypting, bring)


async def _push(
    directory: Path, is_encrypting: bool, bring: Callable[[Worker, Client, str], Coroutine[Any, Any, None]]
) -> None:
    client = Client(directory)
    database = FusedDatabase(directory / "entrepot.db")
    keys = await KeyService.open(database, Context(), MASTER)
    storage = storage_at(place_of(directory), keys, Context(), is_encrypting=is_encrypting)
    worker = Worker(database, Context(), keys, storage)
    if client.upload_id is None:
        client.remember(upload_id=await worker.start())
    assert client.upload_id is not None
    try:
        await bring(worker, client, client.upload_id)
    except UploadNotFound:
        view = await worker.blobs.view(ACCOUNT, REGISTRY, APP, digest_of(DATA))
        assert view.blob is not None, "the upload ended and left no blob"
    client.remember(is_done=True)
    await storage.close()
    await database.close()


async def check(directory: Path, is_encrypting: bool) -> None:
    """Nothing acknowledged is lost, and after a sweep nothing is left over."""
    later = Context(now=lambda: datetime.now(UTC) + timedelta(days=2))
    database = SqliteDatabase(directory / "entrepot.db")
    keys = await KeyService.open(database, later, MASTER)
    storage = storage_at(place_of(directory), keys, later, is_encrypting=is_encrypting)
    worker = Worker(database, later, keys, storage)
    view = await worker.blobs.view(ACCOUNT, REGISTRY, APP, digest_of(DATA))
    if Client(directory).is_done:
        assert view.blob is not None
    if view.blob is not None:
        assert await worker.pull(DATA) == DATA
    await worker.uploads.sweep()
    later_still = later.now() + timedelta(hours=1)
    await worker.uploads.sweep(later_still)
    found = place_of(directory).names()
    assert found == sorted(await keys_of(database)), f"left over: {found}"
    assert not place_of(directory).is_staging_left(), "a staging directory was left over"
    assert (await worker.uploads.sweep(later_still)).objects == 0
    await storage.close()
    await database.close()


def in_process(work: Any, directory: Path, is_encrypting: bool, crash_at: int | None = None) -> bool:
    """Run work in a process of its own; False when it died at its step. Any other end raises."""
    child = os.fork()
    if child == 0:
        fuse = FusedDatabase.fuse = Fuse(crash_at)
        if crash_at is not None:
            fuse.install()
        asyncio.run(work(directory, is_encrypting))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, DIED):
        raise SystemExit(f"{work.__name__} failed in {directory}, crash at {crash_at}")
    return code == 0


def at_each_step(directory: Path, is_encrypting: bool, shard: int, work: Any = push, shards: int = SHARDS) -> int:
    """Die once at a step and go on, or never go on: both leave things in order."""
    template = directory / "template"
    template.mkdir()
    in_process(prepare, template, is_encrypting)
    for crashes, step in enumerate(count(shard, shards)):
        resumed, abandoned = directory / f"{step}-resumed", directory / f"{step}-abandoned"
        shutil.copytree(template, resumed)
        is_finished = in_process(work, resumed, is_encrypting, step)
        shutil.copytree(resumed, abandoned)
        in_process(check, abandoned, is_encrypting)
        in_process(work, resumed, is_encrypting)
        in_process(check, resumed, is_encrypting)
        if is_finished:
            return crashes
    raise AssertionError("unreachable")


def at_random_steps(directory: Path, is_encrypting: bool, seed: int) -> int:
    """Die again and again."""
    draw = random.Random(seed)
    in_process(prepare, directory, is_encrypting)
    crashes = 0
    while crashes < CRASHES_MAX and not in_process(push, directory, is_encrypting, draw.randrange(40)):
        crashes += 1
    in_process(push, directory, is_encrypting)
    in_process(check, directory, is_encrypting)
    return crashes


def main(directory: str, layout: str, mode: str, number: str) -> None:
    storage_module.FRAME_BYTES = FRAME  # type: ignore[attr-defined]
    at_once = partial(at_each_step, work=push_at_once, shards=1)
    run: Any = {"each": at_each_step, "random": at_random_steps, "at-once": at_once}[mode]
    sys.stdout.write(f"{run(Path(directory), layout == 'frames', int(number))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
