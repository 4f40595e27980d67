"""Known hosts: registries that `entrepot login --helper` set up, each with the AWS profile that opens it.

~/.config/entrepot/hosts.json    {"127.0.0.1:5000": {"profile": "entrepot", "region": "us-east-1",
                                                     "endpoint_url": "http://127.0.0.1:5000"}}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from entrepot.clients.client_error import ClientError
from entrepot.clients.private_file import locked, make_private_directory, read_object, user_directory, write_private


@dataclass(frozen=True, slots=True)
class KnownHost:
    """How a host's tokens are got; None: as environment and profile say at that time."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None


def known_hosts() -> dict[str, KnownHost]:
    """Every known host by its name; what cannot be read is not known."""
    path = _path()
    found = (path and read_object(path)) or {}
    return {host: _parse(value) for host, value in found.items() if isinstance(value, dict)}


def remember_host(name: str, host: KnownHost) -> None:
    """Add or replace one.

    Raises:
        ClientError: the file cannot be written.
    """
    path = _path()
    if path is None:
        raise ClientError("there is no home directory to remember the registry in")
    try:
        make_private_directory(path.parent)
        with locked(path.with_suffix(".lock")):
            hosts = {name: asdict(known) for name, known in known_hosts().items()} | {name: asdict(host)}
            write_private(path, json.dumps(hosts, indent=2).encode() + b"\n")
    except OSError as error:
        raise ClientError(f"cannot write {path}: {error.strerror or error}") from error


def _path() -> Path | None:
    directory = user_directory("XDG_CONFIG_HOME", ".config")
    return directory and directory / "hosts.json"


def _parse(value: dict[str, object]) -> KnownHost:
    texts = {name: value.get(name) for name in ("profile", "region", "endpoint_url")}
    return KnownHost(**{name: text if isinstance(text, str) else None for name, text in texts.items()})
