"""The one client for everything that the server fetches by itself.

https only, unless the host is allowed by name; names are resolved once and the connection goes to what was checked;
redirects are not followed; 5 s to connect; answers are bounded. No credentials but those given, and no proxy of the
environment.

Spec: SECURITY of the design, "Outbound".
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from entrepot.remote.address import Network, is_allowed

CONNECT_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 10.0


class OutboundError(Exception):
    """A fetch that failed or is not allowed; the text says why, in one line, and never what was answered."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the operator allows beyond the public internet over https."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    """Names, in lower case, that may have any address and may be spoken to without TLS."""

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Allowance:
        """Read a list of networks, addresses and host names."""
        networks, hosts = list[Network](), set[str]()
        for text in texts:
            try:
                networks.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                hosts.add(text.lower())
        return cls(tuple(networks), frozenset(hosts))


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outbound:
    """Fetches for one worker; a connection for each fetch, since they are few."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        self._allowance = allowance or Allowance()

    async def get(self, url: str, *, bytes_max: int, ca: str | None = None) -> Fetched:
        """Fetch a URL; `ca` are PEM certificates that are trusted instead of the system's.

        Raises:
            OutboundError: not allowed, not reachable, or an answer of more than `bytes_max` bytes.
        """
        parsed = self._check(url)
        connector = TCPConnector(resolver=_Checked(self._allowance), use_dns_cache=False, ssl=_tls(ca), limit=1)
        timeout = ClientTimeout(total=WHOLE_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            async with (
                ClientSession(connector=connector, timeout=timeout, trust_env=False, auto_decompress=False) as session,
                session.get(parsed, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as answer,
            ):
                body = await _read(answer.content, bytes_max)
                return Fetched(answer.status, dict(answer.headers), body)
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            raise OutboundError(f"{parsed.host} cannot be fetched from: {_reason(error)}") from error

    def _check(self, url: str) -> URL:
        try:
            parsed = URL(url)
        except ValueError as error:
            raise OutboundError("not a URL") from error
        host = (parsed.host or "").lower()
        if not host or parsed.user or parsed.password:
            raise OutboundError("not a URL of a host without credentials")
        is_named = host in self._allowance.hosts
        if parsed.scheme != "https" and not (parsed.scheme == "http" and is_named):
            raise OutboundError(f"{host} must be fetched from with https")
        if _is_address(host) and not is_named and not is_allowed(host, self._allowance.networks):
            raise OutboundError(f"{host} is not an address of the public internet")
        return parsed


class _Checked(AbstractResolver):
    """Names become addresses here, once, and only those that may be connected to leave."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance, self._resolver = allowance, ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.wait_for(self._resolver.resolve(host, port, family), CONNECT_SECONDS)
        if host.lower() in self._allowance.hosts:
            return found
        allowed = [one for one in found if is_allowed(one["host"], self._allowance.networks)]
        if not allowed:
            raise OSError(errno.EACCES, "its address is not one of the public internet")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


async def _read(content: StreamReader, bytes_max: int) -> bytes:
    chunks, size = list[bytes](), 0
    async for chunk in content.iter_any():
        size += len(chunk)
        if size > bytes_max:
            raise ValueError(f"the answer has more than {bytes_max} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


@lru_cache(maxsize=16)
def _tls(ca: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca) if ca else ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _reason(error: Exception) -> str:
    """One line, of what happened on the way."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(error).partition("\n")[0][:200] or type(error).__name__
