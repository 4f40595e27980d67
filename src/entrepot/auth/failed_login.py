"""Failed logins by address: whoever sends false credentials again and again is not listened to for a while.

Only what is false counts: a password or a signature that no secret of ours made, a key that does not exist. Missing
credentials, expired or revoked ones and clocks that are wrong do not, so that machines behind one address whose tokens
ran out are not shut out. Kept in memory, per worker.

Spec: security rules, "Input".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from entrepot.domain.error import TooManyFailedLogins
from entrepot.domain.limit import FAILED_LOGIN_ADDRESSES_MAX, FAILED_LOGINS_SECONDS

_IPV6_NETWORK_BITS: Final = 64
"""Whoever has one IPv6 address usually has all of its network."""


@dataclass(slots=True)
class _Failures:
    """Failures of one address since `since`, in seconds since 1970."""

    since: float
    count: int = 0


class FailedLogins:
    """Counts failures in windows of a minute. `limit` 0 counts nothing."""

    def __init__(self, limit: int, now: Callable[[], datetime]) -> None:
        self._limit, self._now = limit, now
        self._failures: dict[str, _Failures] = {}

    def check(self, address: str) -> None:
        """Called before credentials are looked at; free where nobody failed.

        Raises:
            TooManyFailedLogins: the address failed too often in this window.
        """
        if not self._failures:
            return
        failures = self._failures.get(_network(address))
        if failures is None or failures.count < self._limit:
            return
        left = failures.since + FAILED_LOGINS_SECONDS - self._now().timestamp()
        if 0 < left <= FAILED_LOGINS_SECONDS:
            raise TooManyFailedLogins(int(left) + 1)
        del self._failures[_network(address)]

    def count(self, address: str) -> None:
        """Note one failure."""
        if not self._limit:
            return
        network, now = _network(address), self._now().timestamp()
        failures = self._failures.get(network)
        if failures is None or not 0 <= now - failures.since < FAILED_LOGINS_SECONDS:
            self._failures.pop(network, None)
            self._make_room()
            failures = self._failures[network] = _Failures(now)
        failures.count += 1

    def _make_room(self) -> None:
        """Forget the address that began to fail first: its window ends first."""
        while len(self._failures) >= FAILED_LOGIN_ADDRESSES_MAX:
            del self._failures[next(iter(self._failures))]


@lru_cache(maxsize=1024)
def _network(address: str) -> str:
    """What an address counts as: IPv6 by its network. Parsing one takes longer than the rest of a check."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), _IPV6_NETWORK_BITS), strict=False))
