"""Directories are durable when `make_directory` returns: each one's entry in its parent was waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from entrepot.store import durability


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were waited for, in order."""
    paths: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return paths


def test_every_new_entry_is_waited_for(tmp_path: Path, synced: list[str]) -> None:
    durability.make_directory(tmp_path / "a" / "b")
    assert synced == [str(tmp_path), str(tmp_path / "a")]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_one_that_is_there_is_made_durable_too(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "a").mkdir()
    durability.make_directory(tmp_path / "a")
    assert synced == [str(tmp_path)]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        durability.make_directory(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        durability.make_directory(tmp_path / "file" / "below")


def test_writing_begins_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b"x" * 10_000)
        file.flush()
        durability.start_writing(file.fileno(), 0, 10_000)
    assert path.read_bytes() == b"x" * 10_000


def test_where_there_is_no_such_call_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "_sync_file_range", None)
    with (tmp_path / "file").open("wb") as file:
        durability.start_writing(file.fileno(), 0, 1)
