"""Passages: what a request brings along that came in through a private endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.policy.index import PolicySet


@dataclass(frozen=True, slots=True)
class Gate:
    """The socket of an endpoint that accepted a connection. Nothing that a client sends makes one."""

    endpoint_id: str
    address: str
    """URL that is listened on."""


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """An endpoint as a request met it."""

    endpoint_id: str
    vpc_id: str
    epoch: int
    """Of the endpoint: with another one it may have another policy."""
    policy: PolicySet
    download_url: str
    """Scheme and host under which its clients reach this endpoint and no other."""

    @property
    def key(self) -> tuple[str, int]:
        """What decisions are remembered by."""
        return self.endpoint_id, self.epoch
