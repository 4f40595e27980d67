"""The data directory: where everything a server keeps lies, and the lock that lets one server at a time use it.

master.key        32 bytes as base64, mode 0600; made with the first database only
master.key.next   the one that a rotation goes over to; a rotation that was cut off leaves it
master.key.old    the one before the last rotation, for backups made before it
metadata.sqlite   facts, unless database_url names a PostgreSQL
spool/            instead of it, for bytes on their way, when blobs are in S3
store/            bytes, unless blob_dir names another place; store.id in it says which store it is
connect/          what `entrepot connect` made: certificate, state for undo
server.lock       held by the running server
server.json       addresses of the running server; gone when none runs
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from entrepot.app.config import MASTER_KEY_BYTES, Settings, parse_master_key
from entrepot.store.durability import fsync_path, make_directory


class DataDirectoryError(Exception):
    """The data directory cannot be used; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What other commands of this machine may know about the server that runs."""

    pid: int
    listeners: list[str]
    """URLs that clients of this machine can use."""
    registry_url: str


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Paths below one directory, and the few files that the application itself keeps there."""

    path: Path
    blobs: Path
    sqlite_file: Path | None
    """The database file; None when `database_url` names a PostgreSQL."""

    @classmethod
    def of(cls, settings: Settings) -> DataDirectory:
        """The directory that the settings name; nothing is made yet."""
        root = settings.data_dir
        sqlite_file = None if settings.database_url else root / "metadata.sqlite"
        blobs = settings.blob_dir or root / ("spool" if settings.blob_url else "store")
        return cls(root, blobs, sqlite_file)

    @property
    def connect(self) -> Path:
        """Where `entrepot connect` keeps its things."""
        return self.path / "connect"

    def create(self) -> None:
        """Make what is missing, readable by nobody else, durable on return.

        Raises:
            DataDirectoryError: it cannot be made or written.
        """
        for name, path in (("data directory", self.path), ("directory of the blobs", self.blobs)):
            try:
                make_directory(path)
            except OSError as error:
                raise DataDirectoryError(f"cannot make the {name} {path}: {error.strerror}") from error
            if not os.access(path, os.W_OK | os.X_OK):
                is_read_only = os.statvfs(path).f_flag & os.ST_RDONLY
                reason = "read-only file system" if is_read_only else "permission denied"
                raise DataDirectoryError(f"cannot write to the {name} {path}: {reason}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock. Children that inherit it hold it too, until the last of them is gone.

        Raises:
            DataDirectoryError: another server has it.
        """
        with open(self.path / "server.lock", "a+b", opener=_open_private) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataDirectoryError(
                    f"another server{self._pid_text()} uses the data directory {self.path}"
                ) from error
            yield

    def announce(self, server: RunningServer) -> None:
        """Write `server.json`."""
        write_private(self.path / "server.json", json.dumps(asdict(server)).encode() + b"\n", mode=0o644)

    def withdraw(self) -> None:
        """Remove `server.json`."""
        (self.path / "server.json").unlink(missing_ok=True)

    def running(self) -> RunningServer | None:
        """The server that uses this directory now, if there is one."""
        try:
            server = RunningServer(**json.loads((self.path / "server.json").read_bytes()))
            with open(self.path / "server.lock", "rb") as lock:  # noqa: PTH123 - as above
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return server
        except (OSError, ValueError, TypeError):
            pass
        return None

    def find_master_key(self, settings: Settings) -> bytes:
        """The master key of the settings or the file; empty when there is neither.

        Raises:
            DataDirectoryError: the file is damaged or unreadable.
        """
        if settings.master_key is not None:
            return parse_master_key(settings.master_key.get_secret_value())
        return self._read_master_key(self._master_key_file)

    def all_master_keys(self, settings: Settings) -> list[bytes]:
        """Every master key that the database may be sealed with: while one is rotated there are two.

        The next one first: a rename in between would hide it from whoever looks the other way round.

        Raises:
            DataDirectoryError: a file is damaged or unreadable.
        """
        return [key for key in (self.find_next_master_key(), self.find_master_key(settings)) if key]

    @property
    def next_master_key_file(self) -> Path:
        """Where a rotation leaves the key that it goes over to."""
        return self.path / "master.key.next"

    def find_next_master_key(self) -> bytes:
        """The key that a rotation goes over to; empty when none is under way.

        Raises:
            DataDirectoryError: the file is damaged or unreadable.
        """
        return self._read_master_key(self.next_master_key_file)

    @contextmanager
    def locked_for_rotation(self) -> Iterator[None]:
        """Be the only one who changes the files of the master key; waits for whoever does."""
        with open(self.path / "master.key.lock", "a+b", opener=_open_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def put_next_master_key(self, key: bytes) -> None:
        """Write the key that a rotation is about to go over to; durable on return."""
        write_private(self.next_master_key_file, b64encode(key) + b"\n")

    def promote_next_master_key(self) -> None:
        """Have the next key be the master key; the one before is kept beside it. Durable on return."""
        if before := self._read_master_key(self._master_key_file):
            write_private(self.path / "master.key.old", b64encode(before) + b"\n")
        self.next_master_key_file.rename(self._master_key_file)
        fsync_path(self.path)

    def put_master_key(self, key: bytes) -> None:
        """Write the master key of a data directory that has none, durable on return.

        Raises:
            FileExistsError: it has one.
        """
        write_private(self._master_key_file, b64encode(key) + b"\n", replaces=False)

    def put_store_id(self, store_id: str) -> None:
        """Name the directory of blobs as the database does that counts on it."""
        write_private(self._store_id_file, store_id.encode() + b"\n")

    def make_master_key(self) -> bytes:
        """Write a fresh master key, durable on return. Never replaces one.

        Raises:
            DataDirectoryError: something stands in its place, perhaps a link to a key that is not there now.
        """
        key = secrets.token_bytes(MASTER_KEY_BYTES)
        try:
            write_private(self._master_key_file, b64encode(key) + b"\n", replaces=False)
        except FileExistsError as error:
            raise DataDirectoryError(f"{self._master_key_file} leads to no key, and is not replaced") from error
        return key

    def find_store_id(self) -> str:
        """The name that this directory of blobs has among all; empty while it has none.

        Raises:
            DataDirectoryError: the file is unreadable.
        """
        try:
            return self._store_id_file.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise DataDirectoryError(f"cannot read {self._store_id_file}: {error.strerror}") from error

    def make_store_id(self, store_id: str) -> None:
        """Name the directory of blobs, durable on return.

        Raises:
            DataDirectoryError: it cannot be written, or a file is there that names nothing.
        """
        try:
            write_private(self._store_id_file, store_id.encode() + b"\n", replaces=False)
        except FileExistsError as error:
            raise DataDirectoryError(f"{self._store_id_file} names no directory, and is not replaced") from error
        except OSError as error:
            raise DataDirectoryError(f"cannot write {self._store_id_file}: {error.strerror}") from error

    def remove_store_id(self) -> None:
        """Take back a name that no database counts on."""
        self._store_id_file.unlink(missing_ok=True)

    def is_master_key_exposed(self) -> bool:
        """Whether others than its owner may read the key's file."""
        try:
            return bool(self._master_key_file.stat().st_mode & 0o077)
        except OSError:
            return False

    @property
    def _master_key_file(self) -> Path:
        return self.path / "master.key"

    def _read_master_key(self, file: Path) -> bytes:
        try:
            return parse_master_key(file.read_text("ascii", "replace"))
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise DataDirectoryError(f"cannot read {file}: {error.strerror}") from error
        except ValueError as error:
            raise DataDirectoryError(f"{file} is damaged: the key {error}") from error

    @property
    def _store_id_file(self) -> Path:
        return self.blobs / "store.id"

    def _pid_text(self) -> str:
        with suppress(OSError, ValueError, KeyError):
            return f" (process {json.loads((self.path / 'server.json').read_bytes())['pid']})"
        return ""


def write_private(path: Path, data: bytes, *, mode: int = 0o600, replaces: bool = True) -> None:
    """Write a file in one step: others see the old content or the new. Durable on return.

    Raises:
        FileExistsError: it exists and may not be replaced.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - a descriptor
            os.fchmod(file.fileno(), mode)  # the umask may have taken bits away
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            fresh.rename(path)
        else:
            os.link(fresh, path)  # fails where a rename would replace
    finally:
        fresh.unlink(missing_ok=True)
    fsync_path(path.parent)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
