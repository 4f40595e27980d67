"""Blobs as files on a local disk.

    ROOT/blobs/AB/KEY                   published objects; KEY begins with AB
    ROOT/staging/AB/KEY/NAME.segment    what one append wrote; never changed once acknowledged, but see `publish`
    ROOT/staging/AB/KEY/NAME.tail       a partial last frame

256 directories hold millions of files well, and after a few pushes none has to be made and fsynced any more.
Directories have mode 0700, files 0600. Publishing fsyncs the object and every directory on its way; staging relies on
the page cache, which outlives the process but not the machine's power. An append creates its files relative to the
staging directory that it opened first, so that one which lost its upload cannot bring the directory back.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.error import StorageFull
from entrepot.domain.limit import MIB
from entrepot.store.blob.base import Appended, Ledger, Location, Segment, Staging, StagingGone, StoredObject
from entrepot.store.blob.file_reader import FileReader
from entrepot.store.blob.files import (
    DurableDirectories,
    copy_bytes,
    default_reserve,
    free_bytes,
    refusal_noticed,
    write_all,
)
from entrepot.store.durability import SyncFailed, fsync, fsync_path, start_writing

START_BYTES = 8 * MIB
"""After so many bytes of an append the disk is set to work: it takes 0.19 s for 512 MiB at the end otherwise, during
which the client waits for its 201."""

DISCARD_ATTEMPTS = 10
LINK_ATTEMPTS = 10
_SAFE = re.compile(r"[A-Za-z0-9_-]{4,64}")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class FilesystemBlobStore:
    """A store in one directory. `reserve_bytes` None keeps the larger of 1 % and 256 MiB free."""

    name = "filesystem"
    is_shared = False

    def __init__(self, root: Path, reserve_bytes: int | None = None) -> None:
        self._root = root
        self._blobs = root / "blobs"
        self._staging = root / "staging"
        for directory in (root, self._staging):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directories = DurableDirectories(root)
        self._directories.make(self._blobs)
        self._reserve_bytes = reserve_bytes if reserve_bytes is not None else default_reserve(root)

    def check_room(self) -> None:
        if free_bytes(self._root) < self._reserve_bytes:
            raise StorageFull

    def append(
        self, location: Location, size_bytes: int, tail: Segment | None, name: str, ledger: Ledger
    ) -> FileWriter:
        del tail, ledger
        directory = self._staging_of(location.storage_key)
        _make_directory(directory)
        return FileWriter(self, location.storage_key, directory, _safe(name), size_bytes)

    def is_whole(self, storage_key: str, pieces: Iterable[Segment]) -> bool:
        directory = self._staging_of(storage_key)
        try:
            return all(_piece(directory, piece).stat().st_size >= piece.stored_bytes for piece in pieces)
        except FileNotFoundError:
            return False

    def write_tail(self, storage_key: str, name: str, data: bytes) -> Segment:
        directory = self._staging_of(storage_key)
        with refusal_noticed(), _gone_noticed(storage_key):
            fd = os.open(directory / f"{_safe(name)}.tail", _CREATE, 0o600)
            try:
                write_all(fd, memoryview(data))
            finally:
                os.close(fd)
        return Segment(f"{name}.tail", len(data))

    def read_tail(self, storage_key: str, tail: Segment) -> bytes:
        try:
            data = _piece(self._staging_of(storage_key), tail).read_bytes()
        except FileNotFoundError as error:
            raise BlobDamaged(storage_key, f"{tail.name} is missing") from error
        if len(data) != tail.stored_bytes:
            raise BlobDamaged(storage_key, f"{tail.name} has {len(data)} bytes, not {tail.stored_bytes}")
        return data

    def remove_piece(self, storage_key: str, name: str) -> None:
        _piece(self._staging_of(storage_key), Segment(name, 0)).unlink(missing_ok=True)

    def hold(self, storage_key: str) -> FileHold | None:
        directory = self._staging_of(storage_key)
        _make_directory(directory)
        try:
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None  # who had it ends the upload and removes the directory just now
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return FileHold(fd)

    def publish(self, location: Location, segments: Sequence[Segment], tail: Segment | None, ledger: Ledger) -> bool:
        """Join the pieces behind the first one and link that file under its key.

        The first segment's file grows by what follows, at places that only the pieces decide: whoever repeats a
        publication that was cut off writes the same bytes again, or more where more was appended meanwhile.
        Where the disk did not keep them, the first segment goes: nobody may count on bytes that were only synced again.
        """
        del ledger
        key = location.storage_key
        directory = self._staging_of(key)
        pieces = [*segments, tail] if tail else list(segments)
        source = _piece(directory, pieces[0]) if pieces else directory / "empty.segment"
        with refusal_noticed():
            try:
                fd = os.open(source, os.O_RDWR | os.O_CLOEXEC | (0 if pieces else os.O_CREAT), 0o600)
            except FileNotFoundError as error:
                raise BlobDamaged(key, f"{source.name} is missing") from error
            try:
                _join(fd, key, directory, pieces)
                self._link(fd, source, key)
            except SyncFailed:
                source.unlink(missing_ok=True)
                raise
            finally:
                os.close(fd)
        return True

    def make(self, location: Location, data: bytes) -> bool:
        self.check_room()
        path = self.path(location.storage_key)
        self._directories.make(path.parent)
        with refusal_noticed():
            try:
                fd = os.open(path, _CREATE, 0o600)
            except FileExistsError:  # another attempt's, or left by one that was cut off
                return False
            try:
                write_all(fd, memoryview(data))
                fsync(fd)
            finally:
                os.close(fd)
            fsync_path(path.parent)
        return True

    def open(self, location: Location, size_bytes: int) -> FileReader:
        key, expected_bytes = location.storage_key, location.stored_bytes(size_bytes)
        try:
            fd = os.open(self.path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobDamaged(key, "the object is missing") from error
        stored_bytes = os.fstat(fd).st_size
        if stored_bytes != expected_bytes:
            os.close(fd)
            raise BlobDamaged(key, f"the object has {stored_bytes} stored bytes, not {expected_bytes}")
        return FileReader(key, fd)

    def presign(self, location: Location, seconds: int, headers: Mapping[str, str]) -> None:
        """Nobody but this program reads here."""

    def look(self, location: Location, size_bytes: int) -> None:
        self.open(location, size_bytes).close()

    def discard(self, staging: Staging) -> None:
        directory = self._staging_of(staging.storage_key)
        for attempt in range(1, DISCARD_ATTEMPTS + 1):
            try:
                shutil.rmtree(directory)
            except FileNotFoundError:  # it was never there, or another one removes it too
                if not directory.exists():
                    return
            except OSError as error:  # an append that lost its upload may add a file meanwhile
                if error.errno != errno.ENOTEMPTY or attempt == DISCARD_ATTEMPTS:
                    raise
            else:
                return

    def delete(self, staging: Staging) -> None:
        path = self.path(staging.storage_key)
        path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):  # nothing with such a key was ever published
            fsync_path(path.parent)  # also where it was gone: whoever removed it may have died before that
        self.discard(staging)

    def list_objects(self) -> Iterator[StoredObject]:
        for root, is_staged in ((self._blobs, False), (self._staging, True)):
            for path in root.glob("*/*"):
                with contextlib.suppress(FileNotFoundError):  # it went while we looked
                    yield _stored_object(path, is_staged=is_staged)

    def set_aside(self, storage_key: str) -> str | None:
        target = self._root / "quarantine" / _safe(storage_key)
        moved = [(self.path(storage_key), target), (self._staging_of(storage_key), target.with_suffix(".staging"))]
        present = [(source, place) for source, place in moved if source.exists()]
        for source, place in present:
            self._directories.make(place.parent)
            source.rename(place)
            fsync_path(source.parent)
            fsync_path(place.parent)
        return ", ".join(str(place) for _, place in present) or None

    def path(self, storage_key: str) -> Path:
        """The file of a published object."""
        key = _safe(storage_key)
        return self._blobs / key[:2] / key

    def _staging_of(self, storage_key: str) -> Path:
        key = _safe(storage_key)
        return self._staging / key[:2] / key

    def _link(self, fd: int, source: Path, storage_key: str) -> None:
        """Make a staged file, open as `fd`, the object; durable on return."""
        fsync(fd)
        path = self.path(storage_key)
        self._directories.make(path.parent)
        for _ in range(LINK_ATTEMPTS):
            try:
                os.link(source, path)
                break
            except FileExistsError:
                if source.samefile(path):
                    break
                path.unlink(missing_ok=True)  # left by a publication that was cut off, or made by one that lost
        else:
            raise FileExistsError(path)
        fsync_path(path.parent)


class FileWriter:
    """One append to a file of its own, made when the first byte comes."""

    def __init__(
        self, store: FilesystemBlobStore, storage_key: str, directory: Path, name: str, size_bytes: int
    ) -> None:
        self._store = store
        self._storage_key = storage_key
        self._name = f"{name}.segment"
        self._before_bytes = size_bytes
        self._written_bytes = 0
        self._started_bytes = 0
        self._fd: int | None = None
        with _gone_noticed(storage_key):
            self._directory_fd: int | None = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def write(self, data: memoryview) -> None:
        self._store.check_room()
        with refusal_noticed(), _gone_noticed(self._storage_key):
            if self._fd is None:
                self._fd = os.open(self._name, _CREATE, 0o600, dir_fd=self._directory_fd)
            write_all(self._fd, data)
        self._written_bytes += len(data)
        if self._written_bytes - self._started_bytes >= START_BYTES:
            start_writing(self._fd, self._started_bytes, self._written_bytes - self._started_bytes)
            self._started_bytes = self._written_bytes

    def finish(self) -> Appended:
        segments = (Segment(self._name, self._written_bytes),) if self._written_bytes else ()
        self.close()
        return Appended(segments, None, self._before_bytes + self._written_bytes)

    def close(self) -> None:
        for fd in (self._fd, self._directory_fd):
            if fd is not None:
                os.close(fd)
        self._fd = self._directory_fd = None


class FileHold:
    """A lock on the staging directory of a key."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None


@contextlib.contextmanager
def _gone_noticed(storage_key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StagingGone(storage_key) from error


def _stored_object(path: Path, *, is_staged: bool) -> StoredObject:
    files = [each.stat() for each in path.iterdir()] if is_staged else []
    own = path.stat()
    stored_bytes = sum(each.st_size for each in files) if is_staged else own.st_size
    return StoredObject(path.name, is_staged, stored_bytes, max(each.st_mtime for each in (own, *files)))


def _safe(name: str) -> str:
    if not _SAFE.fullmatch(name):
        raise ValueError(f"not a name that this server made: {name!r}")
    return name


def _piece(directory: Path, piece: Segment) -> Path:
    stem, _, suffix = piece.name.partition(".")
    if suffix not in ("segment", "tail"):
        raise ValueError(f"not a piece that this store made: {piece.name!r}")
    return directory / f"{_safe(stem)}.{suffix}"


def _make_directory(directory: Path) -> None:
    """Make a staging directory and the one that it is in; neither need survive a loss of power."""
    with refusal_noticed():
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            pass
        except FileNotFoundError:
            for missing in (directory.parent, directory):
                with contextlib.suppress(FileExistsError):
                    missing.mkdir(mode=0o700)


def _join(target: int, storage_key: str, directory: Path, pieces: Sequence[Segment]) -> None:
    """Copy the pieces behind the first one into its file and cut what follows them."""
    end = pieces[0].stored_bytes if pieces else 0
    if os.fstat(target).st_size < end:
        raise BlobDamaged(storage_key, f"{pieces[0].name} is too short")
    for piece in pieces[1:]:
        try:
            source = os.open(_piece(directory, piece), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobDamaged(storage_key, f"{piece.name} is missing") from error
        try:
            if copy_bytes(source, target, end, piece.stored_bytes) < piece.stored_bytes:
                raise BlobDamaged(storage_key, f"{piece.name} is too short")
        finally:
            os.close(source)
        end += piece.stored_bytes
    if os.fstat(target).st_size > end:
        os.ftruncate(target, end)
