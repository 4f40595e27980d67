"""A registry that dies again and again under three clients, each time in a process of its own.

Run as `python -m tests.support.crash_rounds DIRECTORY DATABASE ROUNDS SEED`, where DATABASE is `sqlite` or the URL of a
migrated PostgreSQL database. In every round a process opens services and store, and three clients push, retag and
delete images with shared layers while uploads are swept and garbage is collected, until a step of the disk or of
a commit ends the process (`tests.support.crash`). Then the next process compares before
it goes on: what was answered stands, what was under way happened or did not, and every byte is right. At the end no
byte is left that no row counts on.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from entrepot.domain.digest import Digest
from entrepot.domain.error import ImageNotFound, LayersNotFound
from entrepot.domain.image import ImageFilter
from entrepot.domain.page import PageRequest
from entrepot.domain.principal import root_of
from entrepot.domain.reference import Reference, Tag
from entrepot.domain.repository import RepositorySettings
from entrepot.domain.upload import UploadKind
from entrepot.service import storage as storage_module
from entrepot.service.context import Context
from entrepot.service.garbage import GarbageService
from entrepot.service.identity import IdentityService
from entrepot.service.image import ImageService
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.migrate import migrate_sqlite
from entrepot.store.metadata.postgres import PostgresDatabase
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.support.acknowledged import State, replay
from tests.support.bytes import APP, Worker, body, digest_of, files_below, keys_of, open_storage
from tests.support.crash import DIED, FRAME, MASTER, Fuse
from tests.support.image import image_manifest
from tests.support.service import ACCOUNT, REGISTRY

CLIENTS = 3
TAGS = 3
"""Tags of each client; none is another's."""
LAYERS = [random.Random(number).randbytes(FRAME * number + 7 * number) for number in range(6)]
"""Shared by all clients, so that they race for the same blobs."""
STEPS_MAX = 120
ROUND_MINUTES = 40
"""The registry's clock moves on by this much each round: promises end, uploads expire."""
START = datetime(2026, 11, 1, tzinfo=UTC)
_write = os.write


class Journal:
    """What a client began and was answered, in a file that outlives the process."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def begin(self, what: str, **deed: str) -> None:
        self._note({"what": what, **deed})

    def end(self, *, is_done: bool = True) -> None:
        self._note({"what": "done" if is_done else "refused"})

    def _note(self, fact: dict[str, str]) -> None:
        _write(self._fd, json.dumps(fact).encode() + b"\n")


class Fused:
    """A database that dies before a transaction begins, or after its commit and before anybody hears of it."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        self._database, self._fuse = database, fuse
        self.dialect = database.dialect
        self.looks_up_inline = database.looks_up_inline
        self.lookup, self.read, self.close = database.lookup, database.read, database.close

    async def write(self, change: Any, **durability: bool) -> Any:
        self._fuse.step()
        result = await self._database.write(change, **durability)
        self._fuse.step()
        return result


@dataclass
class Registry:
    """Services and store of one process."""

    worker: Worker
    images: ImageService

    @classmethod
    async def open(cls, place: Place, round_number: int, fuse: Fuse) -> Registry:
        now = START + timedelta(minutes=ROUND_MINUTES * round_number)
        context = Context(now=lambda: now)
        database = Fused(place.open(), fuse)
        keys = await KeyService.open(database, context, MASTER)
        storage = open_storage(place.directory / "blobs", keys, context)
        return cls(Worker(database, context, keys, storage), ImageService(database, context))

    async def clean(self) -> None:
        """Collect garbage, sweep uploads and doomed objects."""
        await GarbageService(self.worker.database, self.worker.context).collect()
        await self.worker.uploads.sweep()

    async def close(self) -> None:
        await self.worker.storage.close()
        await self.worker.database.close()


class Client:
    """Does one thing after another to its own tags and images; layers are everybody's."""

    def __init__(self, number: int, registry: Registry, journal: Journal, draw: random.Random) -> None:
        self._number, self._registry, self._journal, self._draw = number, registry, journal, draw

    async def work(self) -> None:
        """Go on until the process ends."""
        deeds = [self._push, self._push, self._push, self._retag, self._delete, self._untag, self._registry.clean]
        while True:
            await self._draw.choice(deeds)()

    def _tag(self) -> str:
        return f"client-{self._number}-{self._draw.randrange(TAGS)}"

    def _image(self) -> tuple[bytes, list[bytes]]:
        layers = self._draw.sample(LAYERS, self._draw.randrange(3))
        config = json.dumps({"client": self._number, "variant": self._draw.randrange(2)}).encode()
        return image_manifest(config, layers), [config, *layers]

    async def _push(self) -> None:
        """Upload all that an image needs, then put it: nothing of it may be missing by then."""
        raw, blobs = self._image()
        for data in blobs:
            await self._upload(data)
        await self._put(raw, self._tag())

    async def _retag(self) -> None:
        """Put an image whose layers are there or not."""
        raw, _ = self._image()
        try:
            await self._put(raw, self._tag())
        except LayersNotFound:
            self._journal.end(is_done=False)

    async def _put(self, raw: bytes, tag: str) -> None:
        self._journal.begin("put", tag=tag, digest=str(digest_of(raw)))
        await self._registry.images.put(
            REGISTRY, APP, raw, declared_type=None, tags=[Tag(tag)], digest=None, is_idempotent=True
        )
        self._journal.end()

    async def _upload(self, data: bytes) -> None:
        digest, uploads = digest_of(data), self._registry.worker.uploads
        upload = await uploads.start(REGISTRY, APP, root_of(ACCOUNT), UploadKind.OCI)
        cut = self._draw.choice([0, len(data) // 2, len(data)])
        if cut:
            await uploads.append(upload, body([data[:cut]]))
        last = body([data[cut:]]) if cut < len(data) else None
        length = self._draw.choice([None, len(data) - cut])  # a length that is known may make the blob at once
        self._journal.begin("upload", digest=str(digest))
        await uploads.complete(REGISTRY, APP, ACCOUNT, upload.id, digest, last, None, length)
        self._journal.end()

    async def _delete(self) -> None:
        raw, _ = self._image()
        await self._remove("delete", digest_of(raw), digest=str(digest_of(raw)))

    async def _untag(self) -> None:
        tag = self._tag()
        await self._remove("untag", Tag(tag), tag=tag)

    async def _remove(self, what: str, reference: Reference, **deed: str) -> None:
        self._journal.begin(what, **deed)
        with suppress(ImageNotFound):
            await self._registry.images.delete(REGISTRY, APP, reference)
        self._journal.end()


@dataclass(frozen=True)
class Place:
    """Where a registry keeps what it knows, and its clients what they were told."""

    directory: Path
    address: str

    def open(self) -> Database:
        """The database as a worker opens it."""
        if self.address == "sqlite":
            return SqliteDatabase(self.directory / "entrepot.db")
        return PostgresDatabase(self.address, connections=4)

    def journal(self, client: int) -> Path:
        """What a client did in the last round."""
        return self.directory / f"journal-{client}"

    def states(self) -> list[State]:
        """Every client's state before the last round."""
        path = self.directory / "states"
        known = json.loads(path.read_text()) if path.exists() else [{}] * CLIENTS
        return [State(**state) for state in known]

    def keep(self, states: list[State]) -> None:
        """Take what was found as every client's state."""
        (self.directory / "states").write_text(json.dumps([asdict(state) for state in states]))


async def prepare(place: Place, _: int, __: int) -> None:
    """One repository."""
    database = place.open()
    keys = await KeyService.open(database, Context(), MASTER, database_is_new=True)
    await IdentityService(database, Context(), keys).ensure_account(ACCOUNT, "first")
    await RepositoryService(database, Context(), keys).create(REGISTRY, APP, RepositorySettings(), {})
    await database.close()


async def work(place: Place, round_number: int, at: int) -> None:
    """Look at what the death before has left, then all clients at once until a step ends them."""
    fuse = Fuse(None)
    registry = await Registry.open(place, round_number, fuse)
    if round_number:
        await compare(place, registry)
    fuse.light(at)
    fuse.install()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            draw = random.Random(f"{place.address} {round_number} {number}")
            client = Client(number, registry, Journal(place.journal(number)), draw)
            group.create_task(client.work())


async def compare(place: Place, registry: Registry) -> None:
    """What was answered stands, what was under way happened or not, and every byte is right."""
    found = await _find(registry)
    for number, before in enumerate(place.states()):
        allowed, blobs = replay(before, map(json.loads, place.journal(number).read_text().splitlines()))
        assert found[number] in allowed, f"client {number}: found {found[number]}, allowed {allowed}"
        for digest in blobs:
            assert await _pull(registry, Digest.parse(digest)) is not None, f"an acknowledged blob is gone: {digest}"
    place.keep(found)


async def finish(place: Place, round_number: int, _: int) -> None:
    """The last death compared; long after, no byte is left that no row counts on."""
    registry = await Registry.open(place, round_number, Fuse(None))
    await compare(place, registry)
    await registry.close()
    for days in (2, 4, 6):
        registry = await Registry.open(place, round_number + days * 36, Fuse(None))
        await registry.clean()
        keys = sorted(await keys_of(registry.worker.database))
        named = await _named(registry)
        await registry.close()
    files = sorted(path.name for path in files_below(place.directory / "blobs"))
    assert files == keys, f"left over: {set(files) ^ set(keys)}"
    assert len(keys) == len(named), "there are blobs that no image names"


async def _named(registry: Registry) -> set[str]:
    """The digests of the blobs that images name."""
    raws = await registry.worker.database.read(lambda c: list(c.execute(select(schema.manifest.c.raw)).scalars()))
    return {each["digest"] for raw in map(json.loads, raws) for each in [raw["config"], *raw["layers"]]}


async def _find(registry: Registry) -> list[State]:
    """The state of each client in the registry; every image is read through."""
    states = [State() for _ in range(CLIENTS)]
    everything = await registry.images.describe(REGISTRY, APP, None, ImageFilter(), PageRequest(1_000))
    for image in everything.items:
        view = await registry.images.view(ACCOUNT, REGISTRY, APP, image.digest)
        assert view.image is not None
        raw = (await registry.images.load(view.image)).raw
        assert digest_of(raw) == image.digest
        manifest = json.loads(raw)
        blobs = [
            await _pull(registry, Digest.parse(each["digest"])) for each in [manifest["config"], *manifest["layers"]]
        ]
        assert None not in blobs, f"a layer of an image is gone: {manifest}"
        state = states[json.loads(blobs[0] or b"")["client"]]
        state.images = sorted([*state.images, str(image.digest)])
        state.tags |= {str(tag): str(image.digest) for tag in image.tags}
    return states


async def _pull(registry: Registry, digest: Digest) -> bytes | None:
    """The bytes of a blob, which have its digest; None when the repository does not hold it."""
    blobs = registry.worker.blobs
    view = await blobs.view(ACCOUNT, REGISTRY, APP, digest)
    if view.blob is None:
        return None
    data = b"".join([bytes(piece) async for piece in blobs.open(view.blob)])
    assert digest_of(data) == digest, f"half a blob was served: {digest}"
    return data


def in_process(step: Callable[..., Coroutine[Any, Any, None]], place: Place, number: int, at: int = 0) -> bool:
    """Run a step in a process of its own; False when a fuse ended it. Any other end raises."""
    child = os.fork()
    if child == 0:
        asyncio.run(step(place, number, at))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, DIED):
        raise SystemExit(f"{step.__name__} failed in round {number} in {place.directory}")
    return code == 0


def main(directory: str, address: str, rounds: str, seed: str) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the output is the number alone
    storage_module.FRAME_BYTES = FRAME  # type: ignore[attr-defined]
    place, draw = Place(Path(directory), address), random.Random(seed)
    if address == "sqlite":
        migrate_sqlite(place.directory / "entrepot.db")
    in_process(prepare, place, 0)
    for number in range(int(rounds)):
        assert not in_process(work, place, number, draw.randrange(STEPS_MAX)), "the round did not end in a death"
    in_process(finish, place, int(rounds))
    sys.stdout.write(f"{rounds}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
