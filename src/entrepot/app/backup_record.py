"""The record of a backup: `backup.json` says what a backup holds, and is written when all of that is on the disk.

backup.json              this record; without it the directory was never completed
metadata-<time>.sqlite   the database at one moment, from either engine
blobs/AB/KEY             objects as they are stored, encrypted ones encrypted
master.key               only when asked for
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from entrepot.app.data_directory import write_private
from entrepot.app.workbench import CommandError

FORMAT = 1
NAME = "backup.json"
KEY_NAME = "master.key"


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """What a complete backup holds; times in ISO 8601 UTC."""

    format: int
    entrepot: str
    schema: str
    database: str
    """The engine that the snapshot was taken from."""
    begun_at: str
    finished_at: str
    snapshot: str
    snapshot_bytes: int
    snapshot_sha256: str
    blobs: int
    blob_bytes: int
    """Stored bytes of the blobs in this directory."""
    blobs_elsewhere: int
    """Blobs that stay in a bucket and are not in this directory."""
    has_master_key: bool

    def write(self, directory: Path) -> None:
        """Make the backup complete, in one step."""
        write_private(directory / NAME, json.dumps(asdict(self), indent=2).encode() + b"\n")


def read_record(directory: Path) -> BackupRecord:
    """The record of a complete backup.

    Raises:
        CommandError: there is none, or it is of another format.
    """
    try:
        said = json.loads((directory / NAME).read_bytes())
        if said["format"] != FORMAT:
            raise CommandError(f"{directory} is a backup of format {said['format']}: take the entrepot that made it")
        return BackupRecord(**said)
    except FileNotFoundError as error:
        raise CommandError(
            f"{directory} has no complete backup: {NAME} is missing. If `entrepot backup` was cut off, run it again"
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CommandError(f"{directory / NAME} cannot be read: {error}") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
