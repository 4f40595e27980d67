"""Files that hold secrets of one user: readable by nobody else, replaced in one step, locked between programs."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def user_directory(variable: str, default: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The directory `entrepot` below what an XDG variable names; None for a user without a home.

    Spec: XDG Base Directory Specification 0.8; relative paths in its variables are ignored.
    """
    base = Path(environ.get(variable) or "")
    if not base.is_absolute():
        try:
            base = Path.home() / default
        except RuntimeError:
            return None
    return base / "entrepot"


def make_private_directory(path: Path) -> None:
    """Make a directory that nobody else may look into.

    Raises:
        OSError: it cannot be made, or somebody else owns it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to somebody else")


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None when there is no file, or something else in it."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600; others see the old content or the new, whoever writes at the same time.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    fresh = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only program that holds this lock; waits for whoever does.

    Raises:
        OSError: the file cannot be made.
    """
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as lock:  # noqa: PTH123 - a descriptor
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
