"""The data directory: made private, locked by one, its master key never replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory, DataDirectoryError, RunningServer, write_private

SERVER = RunningServer(os.getpid(), ["http://127.0.0.1:5000"], "http://127.0.0.1:5000")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "deep" / "data")


@pytest.fixture
def directory(settings: Settings) -> DataDirectory:
    directory = DataDirectory.of(settings)
    directory.create()
    return directory


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_for_its_owner_only(directory: DataDirectory) -> None:
    directory.create()
    assert _mode(directory.path) == 0o700
    assert directory.sqlite_file == directory.path / "metadata.sqlite"


def test_with_postgresql_there_is_no_file(tmp_path: Path) -> None:
    assert DataDirectory.of(Settings(data_dir=tmp_path, database_url="postgresql://h/d")).sqlite_file is None


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryError, match=r"cannot make the data directory .*file/data"):
        DataDirectory.of(Settings(data_dir=tmp_path / "file" / "data")).create()


def test_a_directory_of_blobs_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(data_dir=tmp_path / "data", blob_dir=tmp_path / "file" / "blobs")
    with pytest.raises(
        DataDirectoryError, match=r"cannot make the directory of the blobs .*file/blobs: Not a directory"
    ):
        DataDirectory.of(settings).create()


def test_one_server_at_a_time(directory: DataDirectory) -> None:
    with directory.locked():
        directory.announce(SERVER)
        with (
            pytest.raises(DataDirectoryError, match=rf"another server \(process {os.getpid()}\) uses"),
            directory.locked(),
        ):
            pass
        assert directory.running() == SERVER
    with directory.locked():
        pass


def test_no_server_runs_once_the_lock_is_free(directory: DataDirectory) -> None:
    assert directory.running() is None
    with directory.locked():
        directory.announce(SERVER)
    assert directory.running() is None  # as after a kill: the file is still there
    directory.withdraw()
    assert directory.running() is None


def test_the_master_key_is_made_once(directory: DataDirectory, settings: Settings) -> None:
    assert directory.find_master_key(settings) == b""
    key = directory.make_master_key()
    assert len(key) == 32
    assert directory.find_master_key(settings) == key
    assert _mode(directory.path / "master.key") == 0o600
    with pytest.raises(DataDirectoryError):
        directory.make_master_key()
    assert directory.find_master_key(settings) == key


def test_the_master_key_of_the_settings_wins(directory: DataDirectory, settings: Settings) -> None:
    directory.make_master_key()
    given = Settings(data_dir=settings.data_dir, master_key=SecretStr("ab" * 32))
    assert directory.find_master_key(given) == b"\xab" * 32


def test_a_damaged_master_key_is_named(directory: DataDirectory, settings: Settings) -> None:
    (directory.path / "master.key").write_text("AAAA\n")
    with pytest.raises(DataDirectoryError, match=r"master\.key is damaged: the key must be 32 bytes"):
        directory.find_master_key(settings)


def test_private_files_are_whole_or_old(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o277)
    try:
        write_private(path, b"1")
        write_private(path, b"2", mode=0o644)
    finally:
        os.umask(before)
    assert (path.read_bytes(), _mode(path)) == (b"2", 0o644)
    assert list(tmp_path.iterdir()) == [path]


def test_the_lock_is_for_its_owner_only(directory: DataDirectory) -> None:
    before = os.umask(0)
    try:
        with directory.locked():
            assert _mode(directory.path / "server.lock") == 0o600
    finally:
        os.umask(before)


def test_a_link_to_a_key_that_is_not_there_is_left_alone(directory: DataDirectory, tmp_path: Path) -> None:
    link = directory.path / "master.key"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataDirectoryError, match=r"master\.key leads to no key"):
        directory.make_master_key()
    assert link.is_symlink()
    assert sorted(path.name for path in directory.path.iterdir()) == ["master.key", "store"]


def test_no_part_of_a_damaged_key_is_shown(directory: DataDirectory, settings: Settings) -> None:
    (directory.path / "master.key").write_bytes(b"\x9b" * 32)
    with pytest.raises(DataDirectoryError) as raised:
        directory.find_master_key(settings)
    assert "9b" not in str(raised.value)


def test_a_key_that_others_may_read_is_noticed(directory: DataDirectory) -> None:
    assert not directory.is_master_key_exposed()
    directory.make_master_key()
    assert not directory.is_master_key_exposed()
    (directory.path / "master.key").chmod(0o640)
    assert directory.is_master_key_exposed()


def test_the_directory_of_blobs_is_named_once(directory: DataDirectory) -> None:
    assert directory.find_store_id() == ""
    directory.make_store_id("one")
    assert directory.find_store_id() == "one"
    directory.remove_store_id()
    assert directory.find_store_id() == ""


def test_a_name_that_is_none_is_neither_used_nor_replaced(directory: DataDirectory) -> None:
    """Or each start would count on a name that no file holds."""
    (directory.blobs / "store.id").write_text(" \n")
    with pytest.raises(DataDirectoryError, match=r"store/store.id names no directory, and is not replaced"):
        directory.make_store_id("one")
    assert directory.find_store_id() == ""


def test_a_name_that_cannot_be_read_is_named(directory: DataDirectory) -> None:
    (directory.blobs / "store.id").mkdir()
    with pytest.raises(DataDirectoryError, match=r"cannot read .*store/store.id: Is a directory"):
        directory.find_store_id()
