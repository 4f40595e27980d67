"""Checkpoints of a verification: written on the way, read by the next run, gone at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.app import verify
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.verify import Checkpoint, Wishes
from entrepot.app.workbench import CommandError
from entrepot.service.verify import Progress
from entrepot.service.verify.finding import Finding

FOUND = Finding("blob-bytes", "blob", 3, "the object is missing")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    monkeypatch.setattr(verify, "CHECKPOINT_SECONDS", 0)
    return DataDirectory.of(Settings(data_dir=tmp_path))


def test_the_next_run_goes_on_with_what_was_found(directory: DataDirectory) -> None:
    progress = Progress("blobs", 41, 41, 99, [FOUND])
    first = Checkpoint(directory, Wishes(digests=True))
    first.note(progress)
    again = Checkpoint(directory, Wishes(digests=True, resumes=True)).load()
    assert (again.stage, again.after, again.done, again.findings) == ("blobs", 41, 41, [FOUND])
    assert Checkpoint(directory, Wishes(digests=True)).load() == Progress(), "only when asked"
    first.remove()
    assert Checkpoint(directory, Wishes(digests=True, resumes=True)).load() == Progress()


def test_a_run_with_other_options_does_not_go_on(directory: DataDirectory) -> None:
    Checkpoint(directory, Wishes(digests=True)).note(Progress("blobs", 41))
    with pytest.raises(CommandError, match="other options"):
        Checkpoint(directory, Wishes(resumes=True)).load()
