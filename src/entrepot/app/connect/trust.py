"""The system's trust store: one CA added and removed with update-ca-certificates."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

DIRECTORY = Path("/usr/local/share/ca-certificates")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PROGRAM = "update-ca-certificates"


class TrustError(Exception):
    """The trust store cannot be changed; the text says why, in one line."""


def is_available() -> bool:
    """Whether this system keeps its certificates in Debian's way."""
    return _program() is not None


def add(ca: bytes, path: Path) -> None:
    """Trust a CA.

    Raises:
        TrustError: no rights, or the program failed.
    """
    try:
        path.write_bytes(ca)
        path.chmod(0o644)
    except OSError as error:
        raise TrustError(f"cannot write {path}: {error.strerror}") from error
    _update()


def remove(path: Path) -> None:
    """Trust it no longer.

    Raises:
        TrustError: no rights, or the program failed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise TrustError(f"cannot remove {path}: {error.strerror}") from error
    _update("--fresh")  # else its links to the removed file stay


def _update(*options: str) -> None:
    program = _program()
    if program is None:
        raise TrustError(f"there is no {PROGRAM} on this system")
    done = subprocess.run([program, *options], capture_output=True, text=True, check=False)  # noqa: S603 - a system program
    if done.returncode != 0:
        raise TrustError(f"{PROGRAM} failed: {done.stderr.strip()}")


def _program() -> str | None:
    return shutil.which(PROGRAM, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
