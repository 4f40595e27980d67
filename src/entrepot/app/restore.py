"""Restore of a backup into a new data directory, on either engine; it ends with a verification.

The database comes last, so a directory that has one is whole. A restore that was cut off goes on when it is repeated.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from cryptography.exceptions import InvalidTag

from entrepot.app import verify, workbench
from entrepot.app.backup import OnStep, Step, bring_all
from entrepot.app.backup_record import KEY_NAME, BackupRecord, read_record, sha256_of
from entrepot.app.config import Settings, parse_master_key
from entrepot.app.data_directory import DataDirectory
from entrepot.app.verify import Report, Wishes
from entrepot.app.workbench import CommandError
from entrepot.domain.key import MasterKeyMissing, MasterKeyWrong
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.store.blob.filesystem import FilesystemBlobStore
from entrepot.store.blob.transfer import Transfer
from entrepot.store.durability import fsync_path
from entrepot.store.metadata import snapshot
from entrepot.store.metadata.migrate import migrate_postgres, migrate_sqlite
from entrepot.store.metadata.sqlite import SqliteDatabase

MARK = "restore.partial"
DATABASE = "metadata.restoring"
SQLITE = "metadata.sqlite"
_HARMLESS = frozenset({"server.lock", MARK})


def restore(settings: Settings, source: Path, key_file: Path | None, on_step: OnStep, *, digests: bool) -> Report:
    """Restore a backup to where the settings point, and verify it.

    Raises:
        CommandError: the backup is not complete, the target is not empty, or the key is missing or wrong.
    """
    workbench.spoken(lambda: _restore(settings, source, key_file, on_step))
    return verify.verify_all(settings, Wishes(digests=digests), lambda _: None)


def _restore(settings: Settings, source: Path, key_file: Path | None, on_step: OnStep) -> None:
    record = read_record(source)
    directory = DataDirectory.of(settings)
    directory.create()
    with directory.locked():
        _check_empty(directory, source / record.snapshot)
        _mark(directory, source)
        if not _has_database(directory):
            _fill(settings, record, source, key_file, on_step)
        for left in (*(path.name for path in directory.path.glob(f"{DATABASE}*")), MARK):
            (directory.path / left).unlink()


def _fill(settings: Settings, record: BackupRecord, source: Path, key_file: Path | None, on_step: OnStep) -> None:
    """Everything in order, the database last."""
    directory = DataDirectory.of(settings)
    file = directory.path / DATABASE
    _copy_snapshot(record, source, file)
    key = _find_key(settings, source, key_file)
    asyncio.run(_check_key(file, key))
    asyncio.run(_bring(source, directory, file, on_step))
    on_step(Step("database", 0, 1))
    if settings.master_key is None and not directory.find_master_key(settings):
        directory.put_master_key(key)
    _put_database(settings, directory, file)


def _check_empty(directory: DataDirectory, original: Path) -> None:
    """Refuse a directory that is in use; one that a restore was cut off in goes on.

    Raises:
        CommandError
    """
    is_begun = (directory.path / MARK).exists()
    found = {path.name for path in directory.path.iterdir()} - _HARMLESS
    is_free = is_begun or (not found - {"store", "spool"} and not any(directory.blobs.iterdir()))
    if is_free and _has_database(directory):  # its last step was done: unless a server made another one
        is_free = original.exists() and snapshot.check_of(original) == snapshot.check_of(directory.path / SQLITE)
    if not is_free:
        raise CommandError(f"{directory.path} is not empty: restore into a new directory")


def _has_database(directory: DataDirectory) -> bool:
    return (directory.path / SQLITE).exists()


def _mark(directory: DataDirectory, source: Path) -> None:
    """Note which backup is being restored, so that a repeated restore can tell.

    Raises:
        CommandError: another one was, and was cut off.
    """
    mark, said = directory.path / MARK, f"{source.absolute()}\n"
    if mark.exists() and mark.read_text() != said:
        raise CommandError(
            f"{directory.path} holds half of another backup, {mark.read_text().strip()}: remove it first"
        )
    mark.write_text(said)


def _copy_snapshot(record: BackupRecord, source: Path, file: Path) -> None:
    """Copy the database of the backup and bring it to this program's schema; durable on return.

    Raises:
        CommandError: it is not what the record says.
    """
    original = source / record.snapshot
    if not original.exists() or sha256_of(original) != record.snapshot_sha256:
        raise CommandError(f"{original} is missing or damaged: its SHA-256 is not that of the record")
    for left in file.parent.glob(f"{DATABASE}*"):
        left.unlink()
    shutil.copyfile(original, file)
    file.chmod(0o600)
    fsync_path(file)
    migrate_sqlite(file)


def _find_key(settings: Settings, source: Path, key_file: Path | None) -> bytes:
    """The master key: of `--key-file`, the settings, or the backup.

    Raises:
        CommandError: there is none.
    """
    if key_file is None and settings.master_key is not None:
        return parse_master_key(settings.master_key.get_secret_value())
    place = key_file or source / KEY_NAME
    try:
        return parse_master_key(place.read_text("ascii", "replace"))
    except FileNotFoundError as error:
        raise CommandError(
            "the backup does not hold the master key, without which nothing in it can be read: give the `master.key` of"
            " the registry it was made from by --key-file FILE or ENTREPOT_MASTER_KEY"
        ) from error
    except (OSError, ValueError) as error:
        raise CommandError(f"{place} holds no master key: {error}") from error


async def _check_key(file: Path, key: bytes) -> None:
    """Raises CommandError: the key is not that of the backup."""
    database = SqliteDatabase(file)
    try:
        await KeyService.open(database, Context(), key)
    except (MasterKeyMissing, MasterKeyWrong, InvalidTag) as error:
        raise CommandError(f"the master key does not open this backup: {error}") from error
    finally:
        await database.close()


async def _bring(source: Path, directory: DataDirectory, file: Path, on_step: OnStep) -> None:
    here = [one for one in snapshot.list_objects(file) if one.store == FilesystemBlobStore.name]
    if here:
        FilesystemBlobStore(directory.blobs, 0)  # makes its directories
        await bring_all(Transfer(source / "blobs").path, directory.blobs / "blobs", here, on_step)
    store_id = snapshot.store_id_of(file)
    if store_id and "://" not in store_id:  # a bucket has its id in itself
        directory.put_store_id(store_id)


def _put_database(settings: Settings, directory: DataDirectory, file: Path) -> None:
    """Have the engine of the settings hold what the file does.

    Raises:
        CommandError: the PostgreSQL database is not empty.
    """
    snapshot.make_single(file)
    if directory.sqlite_file is not None:
        file.rename(directory.sqlite_file)
        fsync_path(directory.path)
        return
    url = settings.database_url or ""
    migrate_postgres(url)
    try:
        snapshot.load_postgres(file, url)
    except snapshot.NotEmpty as error:
        raise CommandError("the PostgreSQL database is not empty: restore into a new one") from error
