"""Connecting and undoing, step by step: certificate, trust store, hosts file, state; safe to repeat."""

from __future__ import annotations

import ipaddress
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from entrepot.app.admin import unknown_accounts
from entrepot.app.config import Settings
from entrepot.app.connect import hosts, trust
from entrepot.app.connect.certificate import covers, fingerprint, issue
from entrepot.app.connect.name import names
from entrepot.app.connect.state import CA, CERTIFICATE, KEY, STATE, ConnectState, load, save
from entrepot.app.data_directory import DataDirectory, DataDirectoryError, write_private
from entrepot.domain.error import InvalidParameter
from entrepot.domain.registry import Registry

PRIVILEGED_PORTS = 1024


class ConnectError(Exception):
    """It cannot be done; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to connect, and how far to go."""

    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    address: str
    port: int
    hosts_file: Path | None
    """None only prints the lines."""
    adds_trust: bool


def connect(settings: Settings, wish: Wish) -> list[str]:
    """Make the names lead here; what to tell the operator.

    Raises:
        ConnectError: a wrong wish, or no rights to write a file.
    """
    _check(wish)
    if unknown := unknown_accounts(settings, wish.accounts):
        raise ConnectError(f"there is no account {unknown[0]}: first `entrepot admin account create {unknown[0]}`")
    directory = DataDirectory.of(settings)
    wanted = names(wish.accounts, wish.regions)
    try:
        directory.create()
        directory.connect.mkdir(mode=0o700, exist_ok=True)
        before = load(directory.connect)
        if before and before.hosts_file and before.hosts_file != str(wish.hosts_file):
            _change_hosts(Path(before.hosts_file), None, "")
        _certify(directory.connect, wanted, wish.address)
        trusted = _trust(directory.connect, before) if wish.adds_trust and trust.is_available() else None
        if before and before.trust_file and before.trust_file != str(trusted):
            trust.remove(Path(before.trust_file))
        hosts_file = str(wish.hosts_file) if wish.hosts_file else None
        trust_file = str(trusted) if trusted else None
        state = ConnectState(wish.accounts, wish.regions, wish.address, wish.port, hosts_file, trust_file)
        save(directory.connect, state)
        if wish.hosts_file:
            _change_hosts(wish.hosts_file, wanted, wish.address)
        _give_back(directory)
    except trust.TrustError as error:
        raise ConnectError(f"{error}; run this as root, or leave the trust store alone with --no-trust") from error
    except (OSError, DataDirectoryError) as error:
        raise ConnectError(f"{error}; hosts and trust store need root, --print and --no-trust go without") from error
    return _report(directory, state, wanted)


def undo(settings: Settings) -> list[str]:
    """Take back everything that `connect` did; what to tell the operator. Fine to repeat.

    Raises:
        ConnectError: no rights to write a file.
    """
    directory = DataDirectory.of(settings)
    state = load(directory.connect)
    if state is None:
        return ["entrepot was not connected; nothing changed."]
    try:
        if state.hosts_file:
            _change_hosts(Path(state.hosts_file), None, "")
        if state.trust_file:
            trust.remove(Path(state.trust_file))
        for name in (CERTIFICATE, KEY, CA, STATE):
            (directory.connect / name).unlink(missing_ok=True)
        with suppress(OSError):  # something of somebody else lies in it
            directory.connect.rmdir()
    except (OSError, trust.TrustError) as error:
        raise ConnectError(f"{error}; hosts and trust store need root") from error
    if state.hosts_file:
        lines = ["Undone: names, certificate and trust are gone, the names lead to AWS again."]
    else:
        lines = ["Undone: certificate and trust are gone. Take the lines that were printed out of the hosts file."]
    return [*lines, "Restart the server."] if directory.running() else lines


def _check(wish: Wish) -> None:
    try:
        registries = [Registry.parse(account, region) for account in wish.accounts for region in wish.regions]
        ipaddress.ip_address(wish.address)
    except InvalidParameter as error:
        raise ConnectError(f"{error.field} {error.detail}") from error
    except ValueError as error:
        raise ConnectError(str(error)) from error
    if len({registry.dns_suffix for registry in registries}) > 1:
        raise ConnectError("these regions end in different domains; connect those of one at a time")


def _certify(directory: Path, wanted: list[str], address: str) -> None:
    """Keep the certificate that is there if it is for exactly these names, else make a new one."""
    present = directory / CERTIFICATE
    if present.exists() and (directory / KEY).exists() and covers(present.read_bytes(), wanted, address):
        return
    issued = issue(wanted, address)
    write_private(directory / KEY, issued.key)
    write_private(present, issued.certificate, mode=0o644)
    write_private(directory / CA, issued.ca, mode=0o644)


def _trust(directory: Path, before: ConnectState | None) -> Path:
    ca = (directory / CA).read_bytes()
    path = trust.DIRECTORY / f"entrepot-{fingerprint(ca)}.crt"
    if not (before and before.trust_file == str(path) and path.exists()):
        trust.add(ca, path)
    return path


def _change_hosts(path: Path, wanted: list[str] | None, address: str) -> None:
    """Put our block in, or take it out with None. In place: the file may be a mount that cannot be replaced."""
    before = path.read_bytes() if path.exists() else b""
    after = hosts.without_block(before) if wanted is None else hosts.with_block(before, wanted, address)
    if after != before:
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(after)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())


def _give_back(directory: DataDirectory) -> None:
    """With sudo: what we made in somebody's data directory belongs to them."""
    owner = directory.path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (directory.connect, *directory.connect.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)


def _report(directory: DataDirectory, state: ConnectState, wanted: list[str]) -> list[str]:
    ca = directory.connect / CA
    when = "now" if state.hosts_file else "from the moment that the lines below are in the hosts file"
    lines = [
        f"WARNING: on this machine these names {when} hide the real AWS; `entrepot connect --undo` brings it back:",
        *(f"  {name}" for name in wanted),
        "",
    ]
    if state.hosts_file is None:
        lines += [
            "Lines for the hosts file:",
            *(f"  {line}" for line in hosts.lines(wanted, state.address).splitlines()),
            "",
        ]
    lines += _trust_report(state, ca)
    lines += _port_report(state)
    running = directory.running()
    if running:
        lines += [
            f"Restart the server (process {running.pid}): it then serves TLS on {state.address} port {state.port}."
        ]
    else:
        lines += [f"The next start of the server serves TLS on {state.address} port {state.port}."]
    host = state.registry_url.removeprefix("https://").format(account=state.accounts[0], region=state.regions[0])
    return [*lines, f"Repositories are then shown, pushed to and pulled from as {host}/NAME."]


def _trust_report(state: ConnectState, ca: Path) -> list[str]:
    if state.trust_file:
        lines = [f"The system trusts {ca}; daemons (dockerd, containerd, the kubelet) read that when they start."]
    else:
        registry = f"{state.accounts[0]}.dkr.ecr.{state.regions[0]}"
        lines = [
            f"The system's trust store is as it was. Tell clients of the CA {ca}:",
            f"  docker: copy it to /etc/docker/certs.d/{registry}…/ca.crt; containerd: certs.d/…/hosts.toml",
            f"  Go programs, curl: SSL_CERT_FILE={ca}, CURL_CA_BUNDLE={ca}; Node: NODE_EXTRA_CA_CERTS={ca}",
        ]
    bundle = trust.BUNDLE if state.trust_file else ca
    return [*lines, f"The AWS CLI and Python carry their own list: AWS_CA_BUNDLE={bundle}", ""]


def _port_report(state: ConnectState) -> list[str]:
    if state.port >= PRIVILEGED_PORTS or not _needs_rights(state.port):
        return []
    return [
        f"Port {state.port} needs rights that this user lacks. One of:",
        "  start the server as root",
        f"  sysctl -w net.ipv4.ip_unprivileged_port_start={state.port}   (whole machine, until reboot)",
        "  systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit",
        "  setcap cap_net_bind_service=+ep on a copy of the Python that the server runs with",
        "",
    ]


def _needs_rights(port: int) -> bool:
    if os.geteuid() == 0:
        return False
    try:
        return port < int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text("ascii"))
    except (OSError, ValueError):
        return True
