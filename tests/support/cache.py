"""Where tests keep what is slow to make (images, downloaded tools) between runs.

`ENTREPOT_TEST_CACHE` names the directory, else `~/.cache/entrepot-tests`. It may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_dir() -> Path:
    """The directory, made when missing."""
    path = Path(os.environ.get("ENTREPOT_TEST_CACHE") or Path.home() / ".cache" / "entrepot-tests")
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(*sources: Path | str) -> str:
    """A short hash of files and texts, so that a changed recipe gets a new place."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes() if isinstance(source, Path) else source.encode())
    return digest.hexdigest()[:12]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The directory `name` of the cache, filled by `make` once; other processes wait for it."""
    place = cache_dir() / name
    done = cache_dir() / f"{name}.done"
    with _locked(cache_dir() / f"{name}.lock"):
        if not done.exists():
            place.mkdir(parents=True, exist_ok=True)
            make(place)
            done.touch()
    return place
