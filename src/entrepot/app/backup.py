"""Backup of a running registry: a hold on collection, the database at one moment, then every object that it counts on.

Objects never change under their key, so a second backup into the same directory brings only what is new. It becomes
the backup in one step, when `backup.json` is replaced; until then the one before stands.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from entrepot import __version__
from entrepot.app import workbench
from entrepot.app.backup_record import FORMAT, KEY_NAME, NAME, BackupRecord, sha256_of
from entrepot.app.config import Settings
from entrepot.app.data_directory import write_private
from entrepot.app.workbench import CommandError, Workbench
from entrepot.domain.error import Throttled
from entrepot.store.blob.base import Format, Location
from entrepot.store.blob.filesystem import FilesystemBlobStore
from entrepot.store.blob.transfer import ObjectMissing, Transfer, Transferred
from entrepot.store.durability import fsync_path, make_directory
from entrepot.store.metadata import collection_hold, snapshot
from entrepot.store.metadata.revision import newest_revision

HOLD_SECONDS = 600
RENEW_SECONDS = 60.0
OBJECTS_AT_ONCE = 64
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """How far a command came, for a progress bar."""

    stage: str
    done: int
    total: int


OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Brought:
    """How the objects came to be where they are."""

    linked: int
    copied: int
    present: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Done:
    """What a backup did."""

    record: BackupRecord
    brought: Brought
    removed: int
    """Objects of the backup before that this one does not count on."""


def backup(settings: Settings, target: Path, on_step: OnStep, *, with_key: bool) -> Done:
    """Back up into a directory, new or with an earlier backup of the same registry.

    Raises:
        CommandError: it cannot be done, or something is missing.
    """
    return workbench.run(settings, lambda bench: backup_bench(bench, target, on_step, with_key=with_key))


async def backup_bench(bench: Workbench, target: Path, on_step: OnStep, *, with_key: bool) -> Done:
    """The same, on what is open already."""
    _prepare(bench, target)
    begun_at = bench.context.now()
    name = f"metadata-{begun_at:%Y%m%dT%H%M%S%fZ}.sqlite"
    async with _held(bench):
        on_step(Step("database", 0, 1))
        await asyncio.to_thread(_snapshot, bench, target / f"{name}.partial")
        objects = await asyncio.to_thread(snapshot.list_objects, target / f"{name}.partial")
        here = [one for one in objects if one.store == FilesystemBlobStore.name]
        source = FilesystemBlobStore(bench.directory.blobs, 0).path if here else Path
        brought = await bring_all(source, target / "blobs", here, on_step)
    (target / f"{name}.partial").rename(target / name)
    fsync_path(target)
    key_file = target / KEY_NAME
    if with_key:
        key = bench.keys.master_key_of(snapshot.check_of(target / name))
        write_private(key_file, b64encode(key) + b"\n")
    record = BackupRecord(
        FORMAT,
        __version__,
        newest_revision(),
        bench.database.dialect,
        begun_at.isoformat(timespec="seconds"),
        bench.context.now().isoformat(timespec="seconds"),
        name,
        (target / name).stat().st_size,
        await asyncio.to_thread(sha256_of, target / name),
        len(here),
        brought.stored_bytes,
        len(objects) - len(here),
        with_key,
    )
    record.write(target)
    if not with_key:
        key_file.unlink(missing_ok=True)
    return Done(record, brought, _remove_others(target, name, {one.storage_key for one in here}))


def _prepare(bench: Workbench, target: Path) -> None:
    """Make the directory, or find that it is one of backups of this registry.

    Raises:
        CommandError: it holds something else.
    """
    data = bench.directory
    if target == data.path or data.path in target.parents or target in data.path.parents or target == data.blobs:
        raise CommandError(f"{target} and the data directory {data.path} must not be inside each other")
    try:
        make_directory(target)
        found = {path.name for path in target.iterdir()}
    except OSError as error:
        raise CommandError(f"cannot use {target}: {error.strerror}") from error
    is_backup = NAME in found or any(one.startswith("metadata-") for one in found)
    if found and not is_backup:
        raise CommandError(f"{target} holds something that is no backup: give an empty directory or an earlier backup")


def _snapshot(bench: Workbench, partial_file: Path) -> None:
    for left in partial_file.parent.glob("metadata-*.partial*"):  # of runs that were cut off
        left.unlink()
    if bench.directory.sqlite_file is not None:
        snapshot.snapshot_sqlite(bench.directory.sqlite_file, partial_file)
    else:
        snapshot.snapshot_postgres(bench.settings.database_url or "", partial_file)


async def bring_all(
    source: Callable[[str], Path], target: Path, objects: list[snapshot.ObjectRow], on_step: OnStep
) -> Brought:
    """Bring every object below `target`; `source` says where one is. Durable on return.

    Raises:
        CommandError: one is missing.
    """
    make_directory(target)
    transfer = Transfer(target)
    counts = dict.fromkeys(Transferred, 0)
    stored_bytes = 0
    for start in range(0, len(objects), OBJECTS_AT_ONCE):
        batch = objects[start : start + OBJECTS_AT_ONCE]
        for how, size in await asyncio.to_thread(_bring, transfer, source, batch):
            counts[how] += 1
            stored_bytes += size
        on_step(Step("blobs", start + len(batch), len(objects)))
    await asyncio.to_thread(transfer.finish)
    return Brought(counts[Transferred.LINKED], counts[Transferred.COPIED], counts[Transferred.PRESENT], stored_bytes)


def _bring(
    transfer: Transfer, source: Callable[[str], Path], objects: list[snapshot.ObjectRow]
) -> list[tuple[Transferred, int]]:
    sizes = [
        Location(one.storage_key, Format(one.format), one.frame_bytes).stored_bytes(one.size_bytes) for one in objects
    ]
    try:
        return [
            (transfer.bring(source(one.storage_key), one.storage_key, size), size)
            for one, size in zip(objects, sizes, strict=True)
        ]
    except ObjectMissing as error:
        raise CommandError(
            f"{error.path} is missing or has a wrong length: `entrepot verify --repair` says what to push again"
        ) from error


def _remove_others(target: Path, name: str, storage_keys: set[str]) -> int:
    """Remove what only the backup before counted on; how many objects."""
    for path in target.glob("metadata-*"):
        if path.name != name:
            path.unlink()
    others = [path for path in (target / "blobs").glob("*/*") if path.name not in storage_keys]
    for path in others:
        path.unlink()
    return len(others)


@asynccontextmanager
async def _held(bench: Workbench) -> AsyncIterator[None]:
    """Keep the collector and the sweeper from removing anything for the length of the block.

    Raises:
        CommandError: the hold was lost; what the snapshot counts on may be gone.
    """
    hold_id, database, context = bench.context.new_uuid(), bench.database, bench.context
    now = context.now_micros()
    take = partial(collection_hold.take, hold_id=hold_id, reason="backup", now=now, expires_at=_until(now))
    await database.write(take)
    renewing = asyncio.create_task(_renew_for_ever(bench, hold_id))
    try:
        yield
        if not await _renew(bench, hold_id):
            raise CommandError("the hold on collection was lost, the machine slept or was too busy: run it again")
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await database.write(partial(collection_hold.release, hold_id=hold_id))


async def _renew_for_ever(bench: Workbench, hold_id: str) -> None:
    """Renew the hold until cancelled. A database that is away for a moment does no harm: it is tried again."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        with suppress(Throttled):
            await _renew(bench, hold_id)


async def _renew(bench: Workbench, hold_id: str) -> bool:
    """Let the hold last longer; False when it ran out before, if only for a moment."""
    now = bench.context.now_micros()
    return await bench.database.write(partial(collection_hold.renew, hold_id=hold_id, now=now, expires_at=_until(now)))


def _until(now: int) -> int:
    return now + HOLD_SECONDS * _MICROS
