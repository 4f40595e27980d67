"""Files of registry logins: docker's config.json, podman's auth.json, helm's; changed as `docker login` changes them.

    {"auths": {"127.0.0.1:5000": {"auth": "<base64 of AWS:password>"}},
     "credsStore": "secretservice", "credHelpers": {"127.0.0.1:5000": "entrepot"}, …}

Everything else in a file stays, in its order.
"""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.clients.client_error import ClientError
from entrepot.clients.private_file import write_private

HELPER = "entrepot"
_STORE_SECONDS = 60
_RUN = Path("/run/containers")
"""Where podman and skopeo of root, and of whoever has no XDG_RUNTIME_DIR, keep logins."""
_AUTHS, _STORE, _HELPERS = "auths", "credsStore", "credHelpers"


@dataclass(frozen=True, slots=True)
class LoginFiles:
    """Where logins of this user lie."""

    main: Path
    """The file that gets a login: REGISTRY_AUTH_FILE, else docker's, which podman, skopeo, helm and oras read too."""
    others: tuple[Path, ...]
    """Files that some of them read first: a login for the host in there is changed too."""

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> LoginFiles:
        """Those that the environment names, else those of the home directory.

        Raises:
            ClientError: there is no home directory.
        """
        try:
            home = Path.home()
        except RuntimeError as error:
            raise ClientError("there is no home directory for the login") from error
        docker = Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
        named = environ.get("REGISTRY_AUTH_FILE")
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        helm = environ.get("HELM_REGISTRY_CONFIG")
        others = [config / "containers" / "auth.json", Path(helm) if helm else config / "helm/registry/config.json"]
        run = environ.get("XDG_RUNTIME_DIR")
        others.append((Path(run) / "containers" if run else _RUN / str(os.getuid())) / "auth.json")
        return cls(Path(named) if named else docker, tuple(others))


def save_login(files: LoginFiles, host: str, username: str, password: str) -> str:
    """Write a login down, or hand it to the helper that the file names; where it went.

    Raises:
        ClientError: a file cannot be read or written, or the helper refuses.
    """
    config = _read(files.main)
    login = {"auth": b64encode(f"{username}:{password}".encode()).decode()}
    store = _table(config, _HELPERS, files.main).get(host) or config.get(_STORE)
    if store == HELPER:
        return f"docker-credential-{HELPER}, which needs no login"
    if store:
        _store(str(store), host, username, password)
    _change(files.main, lambda value: _table(value, _AUTHS, files.main).update({host: {} if store else login}))
    for path in _with_login(files, host):
        _change(path, lambda value, path=path: _table(value, _AUTHS, path).update({host: login}))  # type: ignore[misc]
    return f"docker-credential-{store}" if store else str(files.main)


def use_helper(files: LoginFiles, host: str) -> None:
    """Name our helper for a host, and remove the logins that would be taken before it is asked.

    Raises:
        ClientError: a file cannot be read or written.
    """

    def named(value: dict[str, Any]) -> None:
        _table(value, _HELPERS, files.main)[host] = HELPER
        _table(value, _AUTHS, files.main).pop(host, None)

    _change(files.main, named)
    for path in _with_login(files, host):
        _change(path, lambda value, path=path: _table(value, _AUTHS, path).pop(host))  # type: ignore[misc]


def _with_login(files: LoginFiles, host: str) -> Iterator[Path]:
    yield from (path for path in files.others if path != files.main and host in _table(_read(path), _AUTHS, path))


def _store(helper: str, host: str, username: str, password: str) -> None:
    program = f"docker-credential-{helper}"
    given = json.dumps({"ServerURL": host, "Username": username, "Secret": password})
    try:
        done = subprocess.run(  # noqa: S603 - the program that the user's own file names
            [program, "store"], input=given, capture_output=True, text=True, timeout=_STORE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or "it does not answer"
        raise ClientError(f"cannot store the login with {program}: {reason}") from None
    if done.returncode:
        said = " ".join(done.stdout.replace(password, "***").split())
        raise ClientError(f"{program} does not store the login: {said}")


def _change(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    config = _read(path)
    change(config)
    for name in (_AUTHS, _HELPERS):
        if config.get(name) == {}:
            del config[name]
    try:
        real = path.resolve()  # through a link, so that it stays one
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(real, json.dumps(config, indent="\t", ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise ClientError(f"cannot write {path}: {error.strerror or error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not text'}") from error
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ClientError(f"{path} is not JSON, and is left as it is") from error
    if not isinstance(value, dict):
        raise ClientError(f"{path} is not a JSON object, and is left as it is")
    return value


def _table(config: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = config.get(name)
    if table is None:
        table = config[name] = {}
    if not isinstance(table, dict):
        raise ClientError(f"`{name}` in {path} is not a JSON object, and is left as it is")
    return table
