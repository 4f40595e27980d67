"""Verification as an operator runs it: with a checkpoint to go on from, and repair only where it cannot do harm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.app import workbench
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory, write_private
from entrepot.app.workbench import CommandError, Workbench
from entrepot.service.verify import Progress, Verifier
from entrepot.service.verify.finding import Finding
from entrepot.service.verify.repair import Repairer
from entrepot.store.metadata import schema, verify

CHECKPOINT = "verify.json"
CHECKPOINT_SECONDS = 1.0
BROKEN_SHARE_MAX = 0.1
BROKEN_MIN = 20
"""More broken blobs than this, and than a tenth of all, are a missing disk rather than damage."""

OnProgress = Callable[[Progress], None]
_IS_LOST = frozenset({"blob-bytes", "blob-digest"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of a verification."""

    digests: bool = False
    orphans: bool = False
    repairs: bool = False
    resumes: bool = False
    forces: bool = False
    """Repair even where most of the store seems to be missing."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found."""

    findings: list[Finding]
    images: int
    blobs: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing is lost or wrong; notices are neither."""
        return not any(finding.is_damage for finding in self.findings)


def verify_all(settings: Settings, wishes: Wishes, on_progress: OnProgress) -> Report:
    """Verify everything and, when asked, repair.

    Raises:
        CommandError: it cannot be verified, or must not be repaired.
    """
    return workbench.run(settings, lambda bench: verify_bench(bench, wishes, on_progress))


async def verify_bench(bench: Workbench, wishes: Wishes, on_progress: OnProgress) -> Report:
    """The same, on what is open already."""
    checkpoint = Checkpoint(bench.directory, wishes)
    async with bench.open_storage() as storage:
        verifier = Verifier(
            bench.database,
            bench.context,
            bench.keys,
            storage,
            with_digests=wishes.digests,
            with_objects=wishes.orphans,
        )

        def on_page(progress: Progress) -> None:
            checkpoint.note(progress)
            on_progress(progress)

        findings = await verifier.run(checkpoint.load(), on_page)
        images, blobs = await bench.database.read(
            lambda c: (verify.count_rows(c, schema.manifest), verify.count_rows(c, schema.blob))
        )
        if wishes.repairs:
            _check_repairable(findings, blobs, wishes)
            repairer = Repairer(bench.database, bench.context, storage, verifier)
            findings = [await repairer.repair(finding) for finding in findings]
    checkpoint.remove()
    return Report(findings, images, blobs)


class Checkpoint:
    """The file in the data directory from which a verification that was cut off goes on."""

    def __init__(self, directory: DataDirectory, wishes: Wishes) -> None:
        self._path: Path = directory.path / CHECKPOINT
        self._options = {"digests": wishes.digests, "orphans": wishes.orphans}
        self._resumes = wishes.resumes
        self._noted_at = time.monotonic()

    def load(self) -> Progress:
        """Where to begin.

        Raises:
            CommandError: the earlier run was asked for something else.
        """
        if not self._resumes:
            return Progress()
        try:
            said: dict[str, Any] = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return Progress()
        if said.pop("options") != self._options:
            raise CommandError("the verification that was cut off had other options: resume it with those")
        return Progress(**(said | {"findings": [Finding.from_json(one) for one in said["findings"]]}))

    def note(self, progress: Progress) -> None:
        """Write down how far it came, now and then."""
        if time.monotonic() - self._noted_at < CHECKPOINT_SECONDS:
            return
        said = {
            "options": self._options,
            "stage": progress.stage,
            "after": progress.after,
            "done": progress.done,
            "findings": [finding.to_json() for finding in progress.findings],
        }
        write_private(self._path, json.dumps(said).encode())
        self._noted_at = time.monotonic()

    def remove(self) -> None:
        """Forget it: the verification is done."""
        self._path.unlink(missing_ok=True)


def _check_repairable(findings: list[Finding], blobs: int, wishes: Wishes) -> None:
    lost = sum(finding.invariant in _IS_LOST for finding in findings)
    if lost > max(BROKEN_MIN, blobs * BROKEN_SHARE_MAX) and not wishes.forces:
        raise CommandError(
            f"{lost} of {blobs} blobs are broken: is the disk of the blobs mounted, and is this the right directory?"
            " Nothing was moved; --force moves all of them aside"
        )
