"""A private host: a network namespace with a cable to the world of the tests and no other way, and its own names."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.certificate import Certificates
from tests.support.namespace import HOSTS, LOCALHOST, SERVER_ADDRESS, SYSTEM_BUNDLE, Namespace
from tests.support.server import AWS_ENVIRONMENT
from tests.support.world import CONTAINERS_STATE, World

ADDRESSES = ("10.9.0.10", "10.9.0.11")
"""Of the world's end of the cable, for endpoints."""
PRIVATE_ADDRESS = "10.9.0.20"


def set_hosts(host: World, lines: str) -> None:
    """Give a private host its names; the file is written in place, since it is mounted."""
    (host.directory / "hosts").write_text(LOCALHOST + lines)


@contextlib.contextmanager
def private_host(world: World) -> Iterator[World]:
    """Lay the cable, and take it away afterwards."""
    directory = world.scratch()
    hosts, bundle, containers = directory / "hosts", directory / "bundle.crt", directory / "containers"
    hosts.write_text(LOCALHOST)
    bundle.write_bytes(SYSTEM_BUNDLE.read_bytes() + _ca(world).read_bytes())
    containers.mkdir()
    namespace = Namespace.open({hosts: HOSTS, bundle: SYSTEM_BUNDLE, containers: CONTAINERS_STATE})
    try:
        _lay_cable(world.namespace, namespace)
        yield World(directory, namespace, {**AWS_ENVIRONMENT, "HOME": str(directory)})
    finally:
        namespace.close()  # the cable goes with it


def _ca(world: World) -> Path:
    return Certificates(*(world.directory / name for name in ("ca.crt", "server.crt", "server.key"))).ca


def _lay_cable(here: Namespace, there: Namespace) -> None:
    _ip(here, "link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", str(there.init_pid))
    for address in ADDRESSES:
        _ip(here, "addr", "add", f"{address}/24", "dev", "cable0")
    _ip(here, "link", "set", "cable0", "up")
    _ip(there, "addr", "del", f"{SERVER_ADDRESS}/32", "dev", "lo")
    _ip(there, "addr", "add", f"{PRIVATE_ADDRESS}/24", "dev", "cable1")
    _ip(there, "link", "set", "cable1", "up")


def _ip(namespace: Namespace, *words: str) -> None:
    """Run `ip` in a network, with the processes of the machine in sight."""
    enter = ["nsenter", f"--net=/proc/{namespace.init_pid}/ns/net", "--"]
    subprocess.run([*enter, "ip", *words], check=True, capture_output=True, timeout=30)
