"""What `entrepot connect` decided: names, certificate, address of TLS, and what undo needs; the server reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from entrepot.app.data_directory import write_private
from entrepot.app.listener import Listener
from entrepot.domain.registry import Registry

STATE = "state.json"
CERTIFICATE = "server.crt"
KEY = "server.key"
CA = "ca.crt"


@dataclass(frozen=True, slots=True)
class ConnectState:
    """Kept as `connect/state.json`.

    {"accounts": ["123456789012"], "regions": ["us-east-1"], "address": "127.0.0.1", "port": 443,
     "hosts_file": "/etc/hosts", "trust_file": "/usr/local/share/ca-certificates/entrepot-1f2e3d4c.crt"}
    """

    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    address: str
    port: int
    hosts_file: str | None
    """None when the lines were only printed."""
    trust_file: str | None
    """None when the CA was not added to the system's."""

    @property
    def registry_url(self) -> str:
        """The template under which clients reach registries from now on."""
        suffix = Registry(self.accounts[0], self.regions[0]).dns_suffix
        port = "" if self.port == 443 else f":{self.port}"  # noqa: PLR2004 - the port of https
        return f"https://{{account}}.dkr.ecr.{{region}}.{suffix}{port}"

    def listener(self, directory: Path) -> Listener:
        """The TLS listener that the server adds."""
        return Listener("https", self.address, self.port, directory / CERTIFICATE, directory / KEY)


def load(directory: Path) -> ConnectState | None:
    """The state, None when not connected."""
    try:
        found = json.loads((directory / STATE).read_bytes())
    except FileNotFoundError:
        return None
    return ConnectState(**found | {"accounts": tuple(found["accounts"]), "regions": tuple(found["regions"])})


def save(directory: Path, state: ConnectState) -> None:
    """Write the state, durable on return."""
    write_private(directory / STATE, json.dumps(asdict(state), indent=1).encode() + b"\n")


def added_listeners(state: ConnectState | None, directory: Path, present: Sequence[Listener]) -> list[Listener]:
    """The TLS listener of the state, unless the settings already listen on that address and port."""
    if state is None:
        return []
    one = state.listener(directory)
    return [] if any((other.host, other.port) == (one.host, one.port) for other in present) else [one]
