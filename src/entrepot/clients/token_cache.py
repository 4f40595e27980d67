"""The cache of registry tokens: one private file a token, named by endpoint, region, access key and account.

    ~/.cache/entrepot/tokens/<sha256>.json        {"username": …, "password": …, "proxy_endpoint": …,
                                                   "issued_at": …, "expires_at": …}   times in epoch seconds
    ~/.cache/entrepot/tokens/<sha256>.lock        held while that token is fetched
    ~/.cache/entrepot/tokens/known-<sha256>.json  {"token": …}: which of them unchanged settings lead to

A file per token: programs that want different tokens never wait for each other, and a damaged one costs one call.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from entrepot.clients.private_file import locked, make_private_directory, read_object, user_directory, write_private

_AWS = "AWS_"
_HOLDS = ("issued_at", "expires_at")


@dataclass(frozen=True, slots=True)
class RegistryToken:
    """What GetAuthorizationToken gave; times in seconds of the epoch."""

    username: str
    password: str
    proxy_endpoint: str
    issued_at: float
    expires_at: float

    @property
    def host(self) -> str:
        """Host and port that the server names for it."""
        return self.proxy_endpoint.rpartition("://")[2].partition("/")[0]

    def is_fresh(self, now: float) -> bool:
        """Whether more than half of its life is left, as AWS's own helper counts: a long push must not outlive it."""
        return now < (self.issued_at + self.expires_at) / 2

    def is_valid(self, now: float) -> bool:
        """Whether the server should still take it."""
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class TokenCache:
    """Tokens in a directory. Where that cannot be used, every token is fetched."""

    directory: Path | None
    now: Callable[[], float] = time.time

    @classmethod
    def of_user(cls) -> TokenCache:
        """The cache of the user who runs this."""
        base = user_directory("XDG_CACHE_HOME", ".cache")
        return cls(base and base / "tokens")

    def get(self, key: str, fetch: Callable[[], RegistryToken]) -> RegistryToken:
        """The token of a key: kept, or fetched by one of those who want it at once.

        When fetching fails, one that is old but valid does.
        """
        if (kept := self.find(key)) and kept.is_fresh(self.now()):
            return kept
        with ExitStack() as stack:
            try:
                directory = self._prepared()
                stack.enter_context(locked(directory / f"{key}.lock"))
            except OSError:
                return fetch()
            if (kept := self.find(key)) and kept.is_fresh(self.now()):
                return kept
            return self._renewed(directory, key, kept, fetch)

    def find(self, key: str) -> RegistryToken | None:
        """A kept token; None when there is none, it is damaged, or its time is over."""
        value = read_object(self.directory / f"{key}.json") if self.directory else None
        try:
            token = RegistryToken(**(value or {}))
            is_sound = all(isinstance(v, int | float if k in _HOLDS else str) for k, v in asdict(token).items())
        except TypeError:
            return None
        return token if is_sound and token.is_valid(self.now()) else None

    def forget(self, key: str) -> None:
        """Have the next one fetched."""
        if self.directory:
            (self.directory / f"{key}.json").unlink(missing_ok=True)

    def tokens(self) -> Iterator[tuple[str, RegistryToken]]:
        """Every kept token that is valid, by its key."""
        for path in sorted(self.directory.glob("*.json")) if self.directory else []:
            if token := self.find(path.stem):
                yield path.stem, token

    def find_known(self, settings: str) -> RegistryToken | None:
        """The fresh token that these settings led to before."""
        known = read_object(self.directory / f"known-{settings}.json") if self.directory else None
        token = self.find(str(known.get("token"))) if known else None
        return token if token and token.is_fresh(self.now()) else None

    def know(self, settings: str, key: str) -> None:
        """Remember where these settings lead."""
        if self.directory:
            with suppress(OSError):
                self._write(self.directory / f"known-{settings}.json", {"token": key})

    def _renewed(
        self, directory: Path, key: str, kept: RegistryToken | None, fetch: Callable[[], RegistryToken]
    ) -> RegistryToken:
        try:
            token = fetch()
        except Exception:
            if kept is None:
                raise
            return kept
        with suppress(OSError):
            self._write(directory / f"{key}.json", asdict(token))
        self._sweep(directory)
        return token

    def _prepared(self) -> Path:
        if self.directory is None:
            raise FileNotFoundError("no home directory")
        make_private_directory(self.directory)
        return self.directory

    def _write(self, path: Path, value: Mapping[str, object]) -> None:
        write_private(path, json.dumps(value).encode())

    def _sweep(self, directory: Path) -> None:
        """Remove what leads nowhere any more; locks stay, since somebody may be waiting for one."""
        for path in directory.glob("*.json"):
            known = read_object(path) if path.name.startswith("known-") else None
            if self.find(str(known.get("token")) if known else path.stem) is None:
                path.unlink(missing_ok=True)


def token_key(*, endpoint_url: str, region: str, access_key_id: str, account_id: str | None) -> str:
    """The name of a token in the cache."""
    return _digest([endpoint_url, region, access_key_id, account_id])


def settings_key(*asked: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """A name for everything that keys of environment and files depend on: the variables, and the files' state."""
    files = (
        environ.get("AWS_CONFIG_FILE") or "~/.aws/config",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials",
    )
    variables = sorted((name, value) for name, value in environ.items() if name.startswith(_AWS))
    return _digest([asked, environ.get("HOME"), variables, [_state_of(file) for file in files]])


def _state_of(file: str) -> list[object]:
    try:
        stat = os.stat(os.path.expanduser(file))  # noqa: PTH111, PTH116 - one that never raises on a missing home
    except OSError:
        return [file]
    return [file, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
