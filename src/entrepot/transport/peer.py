"""Peers: who is at the other end of a connection, and which forwarded headers count.

Spec: design, "Nothing unsigned sets a condition key": forwarded headers count only from trusted proxies, rightmost
first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from multidict import CIMultiDictProxy

from entrepot.domain.passage import Gate
from entrepot.transport.message import Peer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED_ADDRESSES_MAX = 32
"""Hops that are looked at; more is nobody's real path."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses and CIDR ranges.

    Raises:
        ValueError: neither.
    """
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


class PeerReader:
    """Tells the peers of one listener."""

    def __init__(self, listener: str, trusted_proxies: Sequence[Network] = (), gate: Gate | None = None) -> None:
        self._listener, self._gate = listener, gate
        self._is_secure = listener.startswith("https:")
        self._trusted = () if gate else tuple(trusted_proxies)  # they speak the PROXY protocol to endpoints

    def read(self, address: str, headers: CIMultiDictProxy[str]) -> tuple[Peer, str]:
        """The peer and the Host that it asked for; `address` is the socket's."""
        host = headers.get("Host", "")
        if not self._trusted or not self._is_trusted(address):
            return Peer(address, self._is_secure, self._listener, self._gate), host
        protocols = _entries(headers, "X-Forwarded-Proto")
        hosts = _entries(headers, "X-Forwarded-Host")
        is_secure = protocols[-1].lower() == "https" if protocols else self._is_secure
        client = self._client(address, _entries(headers, "X-Forwarded-For"))
        return Peer(client, is_secure, self._listener), hosts[-1] if hosts else host

    def _client(self, address: str, forwarded: list[str]) -> str:
        for hop in reversed(forwarded[-FORWARDED_ADDRESSES_MAX:]):
            candidate = _address(hop)
            if candidate is None:
                break  # whatever stands further left was not written by a proxy of ours
            address = candidate
            if not self._is_trusted(candidate):
                break
        return address

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._trusted)


def _entries(headers: CIMultiDictProxy[str], name: str) -> list[str]:
    return [part.strip() for line in headers.getall(name, ()) for part in line.split(",") if part.strip()]


def _address(text: str) -> str | None:
    """An address without the port that some proxies add."""
    bare = text
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None
