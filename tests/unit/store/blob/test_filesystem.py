"""Files on disk: where they are, who may read them, and names that never leave the root."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from pathlib import Path

import pytest

from entrepot.domain.error import StorageFull
from entrepot.store.blob import filesystem
from entrepot.store.blob.base import Location, Segment, Staging, StagingGone
from entrepot.store.blob.filesystem import FilesystemBlobStore
from tests.support.ledger import MemoryLedger

KEY = Location("abcdef0123456789abcdef0123456789")


def append(store: FilesystemBlobStore, data: bytes) -> Segment:
    writer = store.append(KEY, 0, None, "name", MemoryLedger())
    writer.write(memoryview(data))
    (segment,) = writer.finish().segments
    return segment


def test_only_the_server_can_read(tmp_path: Path) -> None:
    store = FilesystemBlobStore(tmp_path / "root", 0)
    store.publish(KEY, [append(store, b"data")], None, MemoryLedger())
    for path in (tmp_path / "root").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert store.path(KEY.storage_key) == tmp_path / "root/blobs/ab" / KEY.storage_key


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a/b", "a.segment", "x" * 65, "a\0bcd"])
def test_names_stay_below_the_root(tmp_path: Path, name: str) -> None:
    store = FilesystemBlobStore(tmp_path, 0)
    with pytest.raises(ValueError, match="not a name"):
        store.path(name)
    with pytest.raises(ValueError, match="not a name"):
        store.append(KEY, 0, None, name, MemoryLedger())
    with pytest.raises(ValueError, match="not a"):
        store.read_tail(KEY.storage_key, Segment(f"{name}.tail", 1))


def test_writer_does_not_bring_back_what_was_swept(tmp_path: Path) -> None:
    store = FilesystemBlobStore(tmp_path, 0)
    writer = store.append(KEY, 0, None, "name", MemoryLedger())
    store.discard(Staging(KEY.storage_key))
    with pytest.raises(StagingGone):
        writer.write(memoryview(b"data"))
    with pytest.raises(StagingGone):
        store.write_tail(KEY.storage_key, "name", b"data")
    writer.close()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_is_written_once(tmp_path: Path) -> None:
    store = FilesystemBlobStore(tmp_path, 0)
    append(store, b"first")
    with pytest.raises(FileExistsError):
        append(store, b"other")


def test_default_reserve_is_a_share_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs(tmp_path)
    store = FilesystemBlobStore(tmp_path)
    assert store._reserve_bytes == max(disk.f_blocks * disk.f_frsize // 100, 256 * 1024 * 1024)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "mkdir", "fsync", "link"])
def test_every_way_of_being_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, call: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(reason, os.strerror(reason))

    store = FilesystemBlobStore(tmp_path, 0)
    segment = append(store, b"data") if call in ("fsync", "link") else None
    monkeypatch.setattr(os, call, full)
    work = (
        partial(append, store, b"data")
        if segment is None
        else partial(store.publish, KEY, [segment], None, MemoryLedger())
    )
    with pytest.raises(StorageFull):
        work()
    monkeypatch.undo()
    if call == "link":
        assert segment is not None
        store.publish(KEY, [segment], None, MemoryLedger())
        store.open(KEY, 4).close()


def test_copying_without_help_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", cannot)
    store = FilesystemBlobStore(tmp_path, 0)
    pieces = [append(store, b"one")]
    writer = store.append(KEY, 3, None, "second", MemoryLedger())
    writer.write(memoryview(b"two"))
    (segment,) = writer.finish().segments
    store.publish(KEY, [*pieces, segment], None, MemoryLedger())
    assert store.path(KEY.storage_key).read_bytes() == b"onetwo"


def _vanish_before_open(monkeypatch: pytest.MonkeyPatch, store: FilesystemBlobStore) -> None:
    """Have another process remove the staging directory between its making and its opening, once."""
    open_file = os.open

    def late(path: Path, flags: int, *rest: int, **named: int) -> int:
        monkeypatch.setattr(os, "open", open_file)
        store.discard(Staging(KEY.storage_key))
        return open_file(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", late)


def test_hold_of_a_key_whose_upload_ends_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FilesystemBlobStore(tmp_path, 0)
    _vanish_before_open(monkeypatch, store)
    assert store.hold(KEY.storage_key) is None
    again = store.hold(KEY.storage_key)
    assert again is not None
    again.release()


def test_append_to_an_upload_that_ends_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FilesystemBlobStore(tmp_path, 0)
    _vanish_before_open(monkeypatch, store)
    with pytest.raises(StagingGone):
        append(store, b"data")


@pytest.mark.parametrize("reason", [errno.EACCES, errno.ENOTEMPTY])
def test_staging_that_cannot_be_removed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(reason, os.strerror(reason))

    store = FilesystemBlobStore(tmp_path, 0)
    append(store, b"data")
    with monkeypatch.context() as refusing:
        refusing.setattr(os, "rmdir", refuse)
        with pytest.raises(OSError, match=os.strerror(reason)):
            store.discard(Staging(KEY.storage_key))
    store.discard(Staging(KEY.storage_key))
    assert not list((tmp_path / "staging").glob("*/*"))


def test_directories_that_others_made_are_made_durable_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    (root / "blobs" / "ab").mkdir(parents=True)  # by a process that died before its fsync
    synced: list[str] = []
    fsync = os.fsync

    def record(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", record)
    store = FilesystemBlobStore(root, 0)
    assert synced == [str(root)]
    for place, key in enumerate((KEY, Location("abffff0123456789abcdef0123456789"))):
        writer = store.append(key, 0, None, "name", MemoryLedger())
        writer.write(memoryview(b"data"))
        (segment,) = writer.finish().segments
        synced.clear()
        store.publish(key, [segment], None, MemoryLedger())
        assert [path for path in synced if path == str(root / "blobs")] == ([] if place else [str(root / "blobs")])
        assert synced[-1] == str(root / "blobs/ab")


def test_the_disk_is_set_to_work_while_bytes_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[int, int]] = []
    monkeypatch.setattr(filesystem, "START_BYTES", 10)
    monkeypatch.setattr(filesystem, "start_writing", lambda _, start, count: started.append((start, count)))
    writer = FilesystemBlobStore(tmp_path, 0).append(KEY, 0, None, "append", MemoryLedger())
    for piece in (b"1234", b"567890", b"1" * 25, b"1"):
        writer.write(memoryview(piece))
    writer.finish()
    assert started == [(0, 10), (10, 25)]
