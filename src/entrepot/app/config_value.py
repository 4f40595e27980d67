"""Values of settings: how texts of environment and command line become lists, paths and networks."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from entrepot.app.listener import Listener
from entrepot.domain.bearer_host import BearerHost

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _items(value: object, parse: Callable[[str], object]) -> object:
    """Parse a list; the environment writes it with commas or blanks between the items."""
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        return items  # pydantic says what is wrong
    return tuple(parse(item) if isinstance(item, str) else item for item in items)


def listeners(value: object) -> object:
    """URLs to listen on."""
    return _items(value, Listener.parse)


def networks(value: object) -> object:
    """Networks in CIDR form."""
    return _items(value, ipaddress.ip_network)


def bearer_hosts(value: object) -> object:
    """Hosts whose challenge is Bearer."""
    return _items(value, BearerHost.parse)


def texts(value: object) -> object:
    """Plain texts."""
    return _items(value, str)


def _absolute(value: object) -> object:
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) and str(value) else value


def data_home() -> Path:
    """Where a user's programs keep data."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser().absolute() / "entrepot"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


AbsolutePath = Annotated[Path, BeforeValidator(_absolute)]
