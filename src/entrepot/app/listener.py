"""Listeners: the URLs that the server listens on, and the sockets behind them.

A port is bound without SO_REUSEPORT, so that another server on it is noticed. All workers accept from the one socket,
and the supervisor keeps it: what waits when a worker dies is served by the others, or by its successor.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

BACKLOG = 1024
"""Connections that may wait, for each worker; the kernel caps their sum at net.core.somaxconn."""

UNSENT_MILLISECONDS = 120_000
"""The kernel gives a connection up when its peer has taken nothing of what waits for it for this long."""

ELSEWHERE = "this machine does not have the address"
"""What is said of addresses that another machine may have."""

_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.]+)(?::([0-9]{1,5}))?/?")
_PORTS = {"http": 80, "https": 443}


class ListenerError(Exception):
    """A listener cannot be had; the text says which and why, in one line."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One address that is listened on. Port 0 asks the kernel for a free one."""

    scheme: str
    host: str
    """An IPv4 or IPv6 address, without brackets."""
    port: int
    certificate: Path | None = None
    """PEM chain; with `key` set on `https` listeners before they are used."""
    key: Path | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `http://127.0.0.1:5000`.

        Raises:
            ValueError: another scheme, a host that is neither an address nor localhost, a path.
        """
        found = _URL.fullmatch(url.strip())
        if found is None:
            raise ValueError("must be http://ADDRESS:PORT or https://ADDRESS:PORT")
        scheme, host, port = found[1], found[2].strip("[]"), int(found[3] or _PORTS[found[1]])
        if port > 65535:  # noqa: PLR2004 - the largest port
            raise ValueError(f"port {port} is above 65535")
        host = "127.0.0.1" if host == "localhost" else host
        try:
            return cls(scheme, str(ipaddress.ip_address(host)), port)
        except ValueError:
            raise ValueError(f"{host} is neither an IP address nor localhost") from None

    @property
    def url(self) -> str:
        """The URL of the address that is bound."""
        return self._url(self.host)

    @property
    def local_url(self) -> str:
        """A URL that a client on this machine can use, also when every address is listened on."""
        address = ipaddress.ip_address(self.host)
        if not address.is_unspecified:
            return self.url
        return self._url("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004 - IPv4

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return ipaddress.ip_address(self.host).is_loopback

    def with_tls(self, certificate: Path, key: Path) -> Listener:
        """The same address with a certificate."""
        return replace(self, certificate=certificate, key=key)

    def _url(self, host: str) -> str:
        shown = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{shown}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


@dataclass(frozen=True, slots=True)
class BoundListener:
    """A listener with the socket that all workers accept from."""

    listener: Listener
    """With the port that was bound."""
    socket: socket.socket

    def close(self) -> None:
        """Close this process's copy of the socket."""
        self.socket.close()


def bind(listener: Listener, workers: int) -> BoundListener:
    """Bind and listen for that many workers.

    Raises:
        ListenerError: the port is taken, needs more rights, or the address is not of this machine.
    """
    try:
        bound = _socket(listener, BACKLOG * workers)
    except OSError as error:
        raise ListenerError(_explain(listener, error)) from error
    return BoundListener(replace(listener, port=bound.getsockname()[1]), bound)


def tls_context(listener: Listener) -> ssl.SSLContext | None:
    """The TLS side of a listener, None for plain HTTP.

    Raises:
        ListenerError: certificate or key are missing, unreadable or do not belong together.
    """
    if not listener.is_secure:
        return None
    if listener.certificate is None or listener.key is None:
        raise ListenerError(f"{listener.url} needs a certificate: set tls_certificate and tls_key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(listener.certificate, listener.key)
    except (OSError, ssl.SSLError) as error:
        raise ListenerError(
            f"{listener.url}: cannot use certificate {listener.certificate} with key {listener.key}: {error}"
        ) from error
    return context


def _socket(listener: Listener, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_MILLISECONDS)  # accepted ones inherit it
        made.bind((listener.host, listener.port))
        made.listen(backlog)
    except OSError:
        made.close()
        raise
    return made


def _explain(listener: Listener, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {listener.url}: another program listens there already"
    if error.errno == errno.EACCES:
        return (
            f"cannot listen on {listener.url}: ports below 1024 need rights. Start the server as root, or once say "
            f"`sysctl -w net.ipv4.ip_unprivileged_port_start={listener.port}`, or give the server CAP_NET_BIND_SERVICE "
            "(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {listener.url}: {ELSEWHERE} {listener.host}"
    return f"cannot listen on {listener.url}: {error.strerror or error}"
